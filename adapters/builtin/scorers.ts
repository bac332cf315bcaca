import { normalised } from './normalise.ts'

/**
 * How one output is judged against the accepted answers. `score` is 0 to 1. `extracted` is what
 * was compared; absent if nothing comparable was found in the output, which is a wrong answer.
 */
export type Judgement = { score: number; extracted?: string }

export type Scorer = (output: string, gold: readonly string[]) => Judgement

const asScore = (right: boolean) => (right ? 1 : 0)

/** The whole output equals an accepted answer, both normalised. */
export const exactMatch: Scorer = (output, gold) => {
  const extracted = normalised(output)
  return { score: asScore(gold.some((answer) => normalised(answer) === extracted)), extracted }
}

/** Scripts that are written without spaces between words. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u

/** An accepted answer occurs in the output, both normalised, as whole words: "Niger" does not occur in "Nigeria". */
export const contains: Scorer = (output, gold) => {
  const text = normalised(output)
  const found = gold.find((answer) => {
    const words = normalised(answer)
    return UNSPACED.test(words) ? text.includes(words) : ` ${text} `.includes(` ${words} `)
  })
  return found === undefined ? { score: 0 } : { score: 1, extracted: found }
}

/** A minus directly behind a digit, letter or bracket is an operation, not a sign: the last number of "9-5" is 5. */
const NUMBER = /(?:(?<![\w.)\]])[-+])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?/g

/** The last number in a text, thousands separators allowed. */
export function lastNumber(text: string): number | undefined {
  const found = text.replaceAll('−', '-').match(NUMBER)?.at(-1)
  return found === undefined ? undefined : Number(found.replaceAll(',', ''))
}

const equalNumbers = (left: number, right: number) => Math.abs(left - right) <= 1e-6 * Math.max(1, Math.abs(right))

/** The last number of the output equals an accepted one, to six digits. */
export const numeric: Scorer = (output, gold) => {
  const answer = lastNumber(output)
  if (answer === undefined) return { score: 0 }
  const right = gold.some((text) => {
    const number = lastNumber(text)
    return number !== undefined && equalNumbers(answer, number)
  })
  return { score: asScore(right), extracted: String(answer) }
}

/** From the surest sign to the weakest. A lone "A" within a sentence is an article and no answer. */
const LETTER_SIGNS = [
  /^\W*([A-Z])\W*$/i,
  /\b(?:[Aa]nswer|[Oo]ption|[Cc]hoice)\b(?:\s+is)?\W{0,4}([A-Z])\b(?!['’])/,
  /^\W*([A-Z])(?:[).:\]]|\*\*|\s*\n)/,
  /[([]([A-Z])[)\]]/,
  /\b([B-HJ-Z])[).:]?\s*$/,
] as const

/** The letter of a choice that an output names. */
export function choiceLetter(output: string): string | undefined {
  for (const sign of LETTER_SIGNS) {
    const letter = sign.exec(output.trim())?.[1]
    if (letter) return letter.toUpperCase()
  }
  return undefined
}

/** The letter that the output names is an accepted one. */
export const choiceLetterMatch: Scorer = (output, gold) => {
  const letter = choiceLetter(output)
  if (letter === undefined) return { score: 0 }
  return { score: asScore(gold.some((answer) => answer.trim().toUpperCase() === letter)), extracted: letter }
}

function f1(output: string, answer: string): number {
  const [predicted, expected] = [normalised(output).split(' '), normalised(answer).split(' ')]
  const left = new Map<string, number>()
  for (const word of expected) left.set(word, (left.get(word) ?? 0) + 1)
  let common = 0
  for (const word of predicted) {
    const count = left.get(word) ?? 0
    if (count === 0) continue
    common++
    left.set(word, count - 1)
  }
  return (2 * common) / (predicted.length + expected.length)
}

/** Harmonic mean of precision and recall over words, as SQuAD has it; the best accepted answer counts. */
export const tokenF1: Scorer = (output, gold) => ({
  score: Math.max(0, ...gold.map((answer) => f1(output, answer))),
  extracted: normalised(output),
})
