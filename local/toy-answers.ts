import { createHash } from 'node:crypto'

/** One question that the toy model has heard of. `dataset` is the name of its file. */
export type ToyItem = { dataset: string; id: string; question: string } & ({ answers: string[] } | { choices: string[]; gold: number })

/** Share of the questions of each data set that the toy answers rightly. */
const ABILITY: Record<string, number> = { arithmetic_problems: 0.8, science_choice: 0.7, world_capitals: 0.9 }
const ABILITY_ELSEWHERE = 0.75

/** Share of all questions to which the toy always answers HTTP 500, unless it is started with another. */
export const TOY_ERROR_RATE = 0.005

/** Chosen so that the shares come out closely for the shipped data sets, which are small. */
const SEED = 635

const INVENTED = ['Atlantis', 'Avalon', 'Eldorado', 'Lilliput', 'Shangri-La', 'Utopia', 'Xanadu']

/** A number from 0 up to 1 that depends on the text alone. */
export const shareOf = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32

const pick = <Value>(values: readonly Value[], share: number): Value | undefined => values[Math.floor(share * values.length)]

/** By the question and not by the id: the toy sees a prompt, and must not answer the same one in two ways. */
const shareFor = ({ dataset, question }: ToyItem, purpose: string) => shareOf(`${SEED} ${purpose} ${dataset} ${question}`)

/** True if the toy answers this question rightly. */
export const toyKnows = (item: ToyItem): boolean => shareFor(item, 'knows') < (ABILITY[item.dataset] ?? ABILITY_ELSEWHERE)

/** True if the toy answers this question with HTTP 500, however often it is asked. */
export const toyErrs = (item: ToyItem, errorRate = TOY_ERROR_RATE): boolean => shareFor(item, 'errs') < errorRate

/**
 * What the toy says to a question: the right answer (the first, where several are), or always the same wrong one.
 * To a multiple-choice question it is the text of a choice.
 */
export function toyAnswer(item: ToyItem): string {
  if ('choices' in item) return item.choices[toyChoice(item)] ?? ''
  const [right = ''] = item.answers
  if (toyKnows(item)) return right
  const wrong = shareFor(item, 'wrong')
  if (/^-?\d+$/.test(right)) return String(Number(right) + 1 + Math.floor(wrong * 9))
  return pick(INVENTED, wrong) ?? ''
}

/** Index of the choice that the toy takes. */
export function toyChoice(item: Extract<ToyItem, { choices: string[] }>): number {
  if (toyKnows(item)) return item.gold
  const others = item.choices.map((_, index) => index).filter((index) => index !== item.gold)
  return pick(others, shareFor(item, 'wrong')) ?? item.gold
}

/** A known question in a prompt; `end` is the index after it. */
export type Asked = { item: ToyItem; end: number }

/**
 * The question that a prompt asks: the known one that ends last, since those before it are worked examples. Of two
 * that end at the same place the longer, since `2 + 2 =` is also the end of `12 + 2 =`.
 */
export function askedIn(items: readonly ToyItem[], prompt: string): Asked | undefined {
  let last: Asked | undefined
  for (const item of items) {
    const start = prompt.lastIndexOf(item.question)
    if (start < 0) continue
    const end = start + item.question.length
    const isLater = !last || end > last.end || (end === last.end && item.question.length > last.item.question.length)
    if (isLater) last = { item, end }
  }
  return last
}

const LETTERED = /^[ \t]*\(?([A-Z])[.):][ \t]+(.+?)[ \t]*$/gm

/** The choices that a prompt lists below its question, as letter and text, in the order of the prompt. */
const letteredIn = (text: string) => [...text.matchAll(LETTERED)].map(([, letter = '', choice = '']) => ({ letter, choice }))

const sameText = (one: string, other: string) => one.trim().toLowerCase() === other.trim().toLowerCase()

/** The toy's reply: a letter if the prompt lists the choices by letter, else the answer itself. */
export function replyTo({ item, end }: Asked, prompt: string): string {
  const answer = toyAnswer(item)
  if (!('choices' in item)) return answer
  return letteredIn(prompt.slice(end)).find(({ choice }) => sameText(choice, answer))?.letter ?? answer
}

/** The answer that ends a text of question and answer; `start` is its index, `isToys` says whether the toy would give it. */
export type Proposed = { start: number; isToys: boolean }

/** Finds the proposed answer, a choice or its letter, of a text whose likelihood is asked for. */
export function proposedIn({ item, end }: Asked, text: string): Proposed | undefined {
  if (!('choices' in item)) return undefined
  const answer = toyAnswer(item)
  const tail = text.slice(end)
  const choice = item.choices.filter((each) => tail.endsWith(each)).sort((a, b) => b.length - a.length)[0]
  if (choice !== undefined) return { start: text.length - choice.length, isToys: choice === answer }

  const letter = /\b([A-Z])$/.exec(tail)?.[1]
  const lettered = letteredIn(tail).find((each) => each.letter === letter)
  return lettered && { start: text.length - 1, isToys: sameText(lettered.choice, answer) }
}
