import type { Logprobs } from './model-answer.ts'

const inCodePoints = (text: string) => [...text].length

/** Units in which servers count `text_offset`. */
const UNITS = [inCodePoints, (text: string) => text.length, (text: string) => Buffer.byteLength(text)] as const

/** The unit in which the offsets span the prompt; code points if none fits, as when a start token was put before it. */
function unitOf(prompt: string, span: (lengthOf: (text: string) => number) => number) {
  return UNITS.find((lengthOf) => span(lengthOf) === lengthOf(prompt)) ?? inCodePoints
}

/** Only what belongs to the prompt: servers that cannot generate 0 tokens add one. */
function promptPart({ tokens, token_logprobs, text_offset, top_logprobs }: Logprobs, promptTokens: number): Logprobs {
  return {
    tokens: tokens.slice(0, promptTokens),
    token_logprobs: token_logprobs.slice(0, promptTokens),
    text_offset: text_offset?.slice(0, promptTokens),
    top_logprobs: top_logprobs?.slice(0, promptTokens),
  }
}

/** Where the tokens of a continuation are; `promptTokens` excludes what was generated. */
export type Scored = { logprobs: Logprobs; promptTokens: number; context: string; continuation: string }

/**
 * Log-probability of `continuation` after `context`: the sum over its tokens, or why there is none.
 *
 * The border is found by `text_offset`, counted from the end of the prompt, so that a start token
 * before it does not matter. A token that reaches over the border counts as the continuation's.
 */
export function continuationLogprob({ logprobs, promptTokens, context, continuation }: Scored): number | { why: string } {
  const { tokens, token_logprobs, text_offset } = promptPart(logprobs, promptTokens)
  const last = tokens.length - 1
  if (!text_offset || last < 0) return { why: 'its log-probabilities have no text_offset' }
  const [firstOffset = 0, lastOffset = 0, lastToken = ''] = [text_offset[0], text_offset[last], tokens[last]]

  const lengthOf = unitOf(context + continuation, (unit) => lastOffset + unit(lastToken) - firstOffset)
  const border = lastOffset + lengthOf(lastToken) - lengthOf(continuation)
  const first = tokens.findIndex((_, at) => (text_offset[at + 1] ?? Infinity) > border)
  const own = token_logprobs.slice(first)
  if (own.some((value) => value === null)) return { why: 'it gives no log-probability for some tokens of a choice' }
  return own.reduce<number>((sum, value) => sum + (value ?? 0), 0)
}

/**
 * Whether each log-probability is of the token beside it. Some servers are off by one, which
 * makes every score meaningless: then a token is not among the likeliest of its own place.
 */
export function misalignment(logprobs: Logprobs, promptTokens: number): string | undefined {
  const { tokens, token_logprobs, top_logprobs } = promptPart(logprobs, promptTokens)
  if (token_logprobs.slice(1).some((value) => value === null)) return 'it gives no log-probabilities for the prompt'
  const wrong = tokens.some((token, at) => {
    const [value, top] = [token_logprobs[at], top_logprobs?.[at]]
    if (value === null || value === undefined || !top || Object.keys(top).length === 0) return false
    if (value > 1e-6) return true
    const own = Object.hasOwn(top, token) ? top[token] : undefined
    return own === undefined ? value > Math.max(...Object.values(top)) + 1e-3 : Math.abs(own - value) > 1e-3
  })
  return wrong ? 'its log-probabilities do not belong to the tokens beside them' : undefined
}

/** Position of the greatest value; the first of equals. */
const indexOfMax = (values: readonly number[]) => values.indexOf(Math.max(...values))

/**
 * What lm-evaluation-harness reports: `acc` compares the sums, `acc_norm` the sums divided by the
 * number of characters of the choice.
 */
export function choiceScores(sums: readonly number[], choices: readonly string[], gold: number) {
  const perCharacter = sums.map((sum, at) => sum / Math.max(1, inCodePoints(choices[at] ?? '')))
  const [chosen, chosenNorm] = [indexOfMax(sums), indexOfMax(perCharacter)]
  return { chosen, chosenNorm, scores: { acc: Number(chosen === gold), acc_norm: Number(chosenNorm === gold) } }
}
