import { describe, expect, test } from 'vitest'
import { formatLastWords, readLastWords } from './last-words.ts'

const body = (status: string) => `{"benchmark_status_event": {"status": "${status}",\r\n  "metrics": {"acc": 1.50e0, "text": "a\\nb"}}}\n`
const kept = (status: string) => `{"benchmark_status_event": {"status": "${status}",   "metrics": {"acc": 1.50e0, "text": "a\\nb"}}}`

describe('readLastWords', () => {
  test('gives back what was written, in its order, among the lines of a log', () => {
    const log = ['{"level":"info"}', formatLastWords(body('failed')), 'noise', formatLastWords(body('completed')), ''].join('\n')
    expect(readLastWords(log)).toEqual([kept('failed'), kept('completed')])
  })

  test('reads lines before which the kubelet put a time, and those with a carriage return', () => {
    const line = formatLastWords(body('failed'))
    expect(readLastWords(`2026-11-25T18:00:00.123456789Z ${line}\n${line.replace('failed', 'completed')}\r\n`)).toEqual([
      kept('failed'),
      kept('completed'),
    ])
  })

  test('what was said twice is read once', () => {
    expect(readLastWords(`${formatLastWords(body('failed'))}\n${formatLastWords(body('failed'))}`)).toEqual([kept('failed')])
  })

  test.each([
    ['a line that is cut off', formatLastWords(body('failed')).slice(0, -5)],
    ['text of an adapter in a log line', JSON.stringify({ message: `x ${formatLastWords('{"a":1}')}` })],
    ['the mark within a line', `x ${formatLastWords('{"a":1}')}`],
    ['no object', 'evalhub-last-words: 5'],
    ['no JSON', 'evalhub-last-words: {a}'],
  ])('leaves out %s', (_, line) => {
    expect(readLastWords(line)).toEqual([])
  })
})
