import { describe, expect, test } from 'vitest'
import { choiceScores, continuationLogprob, misalignment } from './choice-logprob.ts'
import type { Logprobs } from './model-answer.ts'

/** What an endpoint sends for these tokens; offsets in the unit of `lengthOf`. */
function answer(tokens: string[], values: (number | null)[], lengthOf = (text: string) => [...text].length, start = 0): Logprobs {
  const offsets: number[] = []
  let at = start
  for (const token of tokens) {
    offsets.push(at)
    at += lengthOf(token)
  }
  return { tokens, token_logprobs: values, text_offset: offsets }
}

const UNITS = {
  'code points': (text: string) => [...text].length,
  'UTF-16 units': (text: string) => text.length,
  bytes: (text: string) => Buffer.byteLength(text),
}

describe('continuationLogprob', () => {
  const tokens = ['Question', ':', ' sky', '\nAnswer', ':', ' bl', 'ue']
  const values = [null, -1, -2, -3, -4, -0.5, -0.25]
  const parts = { context: 'Question: sky\nAnswer:', continuation: ' blue' }

  test('sums the tokens behind the border', () => {
    expect(continuationLogprob({ logprobs: answer(tokens, values), promptTokens: 7, ...parts })).toBe(-0.75)
  })

  test('leaves out a token that was generated behind the prompt', () => {
    const logprobs = answer([...tokens, ' sea'], [...values, -9])
    expect(continuationLogprob({ logprobs, promptTokens: 7, ...parts })).toBe(-0.75)
  })

  test('does not mind a start token before the prompt', () => {
    const logprobs = answer(['<|begin|>', ...tokens], [null, -7, ...values.slice(1)])
    expect(continuationLogprob({ logprobs, promptTokens: 8, ...parts })).toBe(-0.75)
  })

  test('counts a token over the border to the continuation', () => {
    const logprobs = answer(['Q', 'A', ': b', 'lue'], [null, -1, -2, -3])
    expect(continuationLogprob({ logprobs, promptTokens: 4, context: 'QA:', continuation: ' blue' })).toBe(-5)
  })

  test.each(Object.entries(UNITS))('finds the border where offsets count %s', (_, lengthOf) => {
    const logprobs = answer(['naïve 🙂', ' is', ' ïn', ' 🙂x', ' y'], [null, -8, -4, -2, -1], lengthOf)
    expect(continuationLogprob({ logprobs, promptTokens: 5, context: 'naïve 🙂 is', continuation: ' ïn 🙂x y' })).toBe(-7)
  })

  test('says why there is no answer', () => {
    const missing = answer(tokens, [null, -1, -2, -3, -4, null, -1])
    expect(continuationLogprob({ logprobs: missing, promptTokens: 7, ...parts })).toEqual({
      why: expect.stringContaining('for some tokens'),
    })
    const without = { tokens, token_logprobs: values }
    expect(continuationLogprob({ logprobs: without, promptTokens: 7, ...parts })).toEqual({ why: expect.stringContaining('text_offset') })
  })
})

describe('misalignment', () => {
  const aligned: Logprobs = {
    tokens: ['One', ',', ' two'],
    token_logprobs: [null, -0.5, -2],
    top_logprobs: [null, { ',': -0.5 }, { ' three': -0.1, ' two': -2 }],
  }

  test('finds nothing wrong where each value belongs to its token, or the token is less likely than the likeliest', () => {
    expect(misalignment(aligned, 3)).toBeUndefined()
    expect(misalignment({ ...aligned, top_logprobs: [null, { ',': -0.5 }, { ' three': -0.1 }] }, 3)).toBeUndefined()
  })

  test.each([
    ['values of the next token', { ...aligned, token_logprobs: [-0.5, -2, -7] }],
    ['a value above the likeliest', { ...aligned, top_logprobs: [null, { ';': -0.9 }, { ' two': -2 }] }],
    ['no values', { ...aligned, token_logprobs: [null, null, null] }],
    ['no log-probabilities at all', { ...aligned, token_logprobs: [null, 0.5, 1] }],
  ])('refuses %s', (_, logprobs) => {
    expect(misalignment(logprobs, 3)).toBeTypeOf('string')
  })
})

describe('choiceScores', () => {
  test('acc compares sums, acc_norm sums a character', () => {
    expect(choiceScores([-4, -6], ['no', 'certainly'], 1)).toEqual({ chosen: 0, chosenNorm: 1, scores: { acc: 0, acc_norm: 1 } })
  })

  test('of equals the first is chosen, as numpy does', () => {
    expect(choiceScores([-4, -4], ['aa', 'bb'], 1).scores).toEqual({ acc: 0, acc_norm: 0 })
  })
})
