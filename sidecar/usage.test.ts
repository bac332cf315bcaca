import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createUsageScanner } from './usage.ts'

const usage = (input: number, output: number) => ({ prompt_tokens: input, completion_tokens: output, total_tokens: input + output })

function tokensIn(text: string, { isEventStream = text.includes('data: '), bytesAtOnce = 7 } = {}) {
  const scanner = createUsageScanner(isEventStream)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += bytesAtOnce) scanner.read(bytes.subarray(at, at + bytesAtOnce))
  const { input, output } = scanner.tokens()
  return [input, output]
}

describe('createUsageScanner', () => {
  const stream = (...events: object[]) => [...events.map((event) => `data: ${JSON.stringify(event)}`), 'data: [DONE]', ''].join('\n\n')

  test.each<[string, string, number[]]>([
    ['an answer', JSON.stringify({ id: 'a', choices: [{ text: 'b' }], usage: usage(11, 5) }), [11, 5]],
    ['an answer that is printed nicely', JSON.stringify({ choices: [], usage: usage(11, 5), id: 'a' }, null, 2), [11, 5]],
    ['the last event of a stream', stream({ choices: [1] }, { choices: [], usage: null }, { choices: [], usage: usage(3, 4) }), [3, 4]],
    ['a stream that counts as it goes', stream({ usage: usage(3, 1) }, { usage: usage(3, 2) }, { usage: usage(3, 9) }), [3, 9]],
    [
      "Anthropic's stream",
      stream({ type: 'message_start', message: { usage: { input_tokens: 8, output_tokens: 1 } } }, { usage: { output_tokens: 6 } }),
      [8, 6],
    ],
    ["OpenAI's responses", stream({ type: 'response.completed', response: { usage: { input_tokens: 2, output_tokens: 7 } } }), [2, 7]],
    ['details in the usage', JSON.stringify({ usage: { ...usage(1, 2), details: { a: [{}, '}'] } } }), [1, 2]],
    ['a model that writes about it', JSON.stringify({ choices: [{ text: '"usage":{"prompt_tokens":5}', usage: usage(9, 9) }] }), [0, 0]],
    ['a value of that name', JSON.stringify({ object: 'usage', x: { prompt_tokens: 5 } }), [0, 0]],
    ['another key', JSON.stringify({ usages: usage(1, 1), u: usage(2, 2), 'u\\sage': usage(3, 3) }), [0, 0]],
    ['numbers that count nothing', JSON.stringify({ usage: { prompt_tokens: -5, completion_tokens: 1.5 } }), [0, 0]],
    ['an event that is cut off', 'data: {"choices":["abc\n\ndata: {"usage":{"prompt_tokens":4}}\n\n', [4, 0]],
    ['usage that is none', '{"usage":{"prompt_tokens":}}', [0, 0]],
    ['no JSON', '<html>"usage":{}</html>', [0, 0]],
  ])('%s', (_, text, expected) => {
    expect(tokensIn(text)).toEqual(expected)
  })

  test('does not depend on how the bytes come, nor on what else is in the answer', () => {
    const rest = fc.dictionary(
      fc.string().filter((key) => key !== 'usage' && key !== '__proto__'),
      fc.jsonValue({ maxDepth: 1 }),
    )
    fc.assert(
      fc.property(rest, fc.integer({ min: 1, max: 50 }), fc.boolean(), (others, bytesAtOnce, isFirst) => {
        const answer = isFirst ? { usage: usage(21, 12), ...others } : { ...others, usage: usage(21, 12) }
        expect(tokensIn(JSON.stringify(answer), { bytesAtOnce, isEventStream: false })).toEqual([21, 12])
      }),
    )
  })

  test('an endless usage is given up', () => {
    expect(tokensIn(`{"usage":{"prompt_tokens":5,"x":"${'y'.repeat(20_000)}"}}`)).toEqual([0, 0])
  })
})
