import { askedIn, proposedIn, replyTo, shareOf } from './toy-answers.ts'
import type { Asked, ToyItem } from './toy-answers.ts'

const TOKEN = /\s*[\p{L}\p{N}_]{1,8}|\s*[^\s\p{L}\p{N}_]|\s+/gu
const WORDS =
  'the a toy model reads every prompt and writes some words that mean nothing at all but it does so in the same way each time'.split(' ')
const DEFAULT_TOKENS = 64
const MOST_TOKENS = 4096

/** Pieces of a few characters; joined they are the text. */
export const tokensOf = (text: string): string[] => text.match(TOKEN) ?? []

export type Limits = { maxTokens: number | undefined; stop: readonly string[] }

/** What the toy writes. `length` means that the limit on tokens cut it off. */
export type Completion = { tokens: string[]; finish: 'stop' | 'length' }

/** As many words as are asked for, so that a run which measures speed gets what it wants. */
function proseFor(prompt: string, count: number): string {
  const start = Math.floor(shareOf(prompt) * WORDS.length)
  return Array.from({ length: count }, (_, index) => WORDS[(start + index) % WORDS.length]).join(' ')
}

function cutAt(text: string, stop: readonly string[]): string {
  const ends = stop.filter((each) => each !== '').map((each) => text.indexOf(each))
  return text.slice(0, Math.min(text.length, ...ends.filter((end) => end >= 0)))
}

/** The toy's answer to a prompt that asks a known question, or words without meaning. Depends on the prompt and limits alone. */
export function complete(prompt: string, asked: Asked | undefined, { maxTokens, stop }: Limits): Completion {
  const limit = Math.min(maxTokens ?? (asked ? MOST_TOKENS : DEFAULT_TOKENS), MOST_TOKENS)
  const whole = tokensOf(asked ? replyTo(asked, prompt) : proseFor(prompt, limit))
  const cut = whole.slice(0, limit).join('')
  const text = cutAt(cut, stop)
  const isCutOff = text === cut && (whole.length > limit || !asked)
  return { tokens: tokensOf(text), finish: isCutOff ? 'length' : 'stop' }
}

/** Log-probabilities in the form of the completions API. */
export type Logprobs = { tokens: string[]; token_logprobs: (number | null)[]; top_logprobs: null; text_offset: number[] }

/** Index after each token. */
function endsOf(tokens: readonly string[]): number[] {
  let end = 0
  return tokens.map((token) => (end += token.length))
}

/**
 * How likely the toy finds each token of a prompt (empty unless it is echoed) and of what it wrote. If the prompt ends with a proposed
 * answer to a known question, the one that the toy would give gets a sum of -0.2, and each token of another one less
 * than -8: the order is the same with and without normalisation by length. Nothing comes before the first token of
 * a prompt, so it has no number. Offsets count UTF-16 units.
 */
export function logprobsOf(items: readonly ToyItem[], prompt: string, written: readonly string[]): Logprobs {
  const read = tokensOf(prompt)
  const asked = askedIn(items, prompt)
  const proposed = asked && proposedIn(asked, prompt.trimEnd())
  const tokens = [...read, ...written]
  const ends = endsOf(tokens)
  const firstProposed = proposed ? ends.findIndex((end) => end > proposed.start) : read.length
  const each = proposed?.isToys ? -0.2 / (read.length - firstProposed) : undefined

  const logprob = (token: string, index: number) => {
    if (index === 0 && read.length > 0) return null
    if (index >= firstProposed && index < read.length) return each ?? -8 - shareOf(token)
    return -1 - shareOf(token)
  }
  const starts = tokens.map((token, index) => (ends[index] ?? 0) - token.length)
  return { tokens, token_logprobs: tokens.map(logprob), top_logprobs: null, text_offset: starts }
}
