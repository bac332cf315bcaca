import { expect, test } from 'vitest'
import { createLog } from './log.ts'

function record() {
  const lines: string[] = []
  return { lines, log: createLog({ write: (line) => lines.push(line), now: () => new Date(0) }) }
}

test('each thing is one line of JSON with its time, whatever it contains', () => {
  const { lines, log } = record()
  log.info('two\nlines', { port: 8080 })
  expect(lines).toHaveLength(1)
  expect(lines[0]).not.toContain('\n')
  expect(JSON.parse(lines[0]!)).toEqual({ time: '1970-01-01T00:00:00.000Z', level: 'info', message: 'two\nlines', port: 8080 })
})

test('what is not seen, or steers a terminal, is written out', () => {
  const { lines, log } = record()
  log.info('\u001b[2J\u009b2J\u202e\u007f')
  expect(lines[0]).toMatch(/^[ -~]*$/)
  expect(JSON.parse(lines[0]!).message).toBe('\u001b[2J\u009b2J\u202e\u007f')
})

test('an error comes with its stack and its causes, and one that causes itself ends', () => {
  const { lines, log } = record()
  const error = new Error('outer', { cause: new TypeError('inner') })
  log.error('failed', error)
  expect(JSON.parse(lines[0]!).error).toMatchObject({
    name: 'Error',
    message: 'outer',
    stack: expect.any(String),
    cause: { name: 'TypeError', message: 'inner' },
  })
  const circular = new Error('again')
  circular.cause = circular
  log.error('failed', circular)
  log.error('failed', 'no error at all')
  expect(JSON.parse(lines[2]!).error).toBe('no error at all')
})
