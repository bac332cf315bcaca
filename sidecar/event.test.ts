import { describe, expect, test } from 'vitest'
import { decode } from '#shared/decode.ts'
import { StatusEvent } from '#shared/models/event.ts'
import { isSuperseded, readEvent, refusalOf, withCommit, withUsage } from './event.ts'
import { noUsage } from './usage.ts'

const run = { evaluationId: 'job', providerId: 'frame', benchmarkId: 'first', benchmarkIndex: 2 }
const body = (more: object = {}) =>
  JSON.stringify({ benchmark_status_event: { provider_id: 'frame', id: 'first', benchmark_index: 2, status: 'running', ...more } })

describe('readEvent', () => {
  test.each([
    ['running', false],
    ['pending', false],
    ['completed', true],
    ['failed', true],
  ])('%s is terminal: %s', (status, isTerminal) => {
    expect(readEvent(body({ status }), run)).toMatchObject({ isTerminal, text: body({ status }) })
  })

  test('reads names in any case, as the hub does, and what is missing as the first benchmark', () => {
    const text = '{"Benchmark_Status_Event":{"ID":"first","Provider_id":"frame","STATUS":"completed"}}'
    expect(readEvent(text, { ...run, benchmarkIndex: 0 }).isTerminal).toBe(true)
  })

  test.each(['', '5', '[]', 'null', '{}', '{"benchmark_status_event":[]}', '{"benchmark_status_event":{}}', body().replace('2', 'NaN')])(
    'refuses %j',
    (text) => {
      expect(() => readEvent(text, run)).toThrow(/^The request body is not what this route reads: /)
    },
  )

  test.each([{ benchmark_index: 1 }, { benchmark_index: '2' }, { id: 'second' }, { provider_id: 'other' }, { benchmark_index: null }])(
    'refuses %j, which is another run',
    (more) => {
      expect(() => readEvent(body(more), run)).toThrow("This sidecar takes the events of benchmark 2 ('first' of provider 'frame') only.")
    },
  )
})

const text = '{ "benchmark_status_event" : {"new_field": 1.50, "metrics":{"n":12345678901234567890}, "additional_info":{"a":1e2}} }'

test('withUsage and withCommit add theirs and leave every other character', () => {
  const usage = JSON.stringify(noUsage())
  const added = `"additional_info":{"a":1e2,"model_usage":${usage}},"job_meta":{"resolved_sha":"abc1234"}`
  expect(withCommit(withUsage(text, noUsage()), 'abc1234')).toBe(text.replace('"additional_info":{"a":1e2}', added))
})

test('what an adapter says of the commit does not count, known or not', () => {
  const said = body({ job_meta: { resolved_sha: 'fffffff', other: 1 } })
  const shaOf = (sent: string) => decode(StatusEvent, 'StatusEvent', sent).benchmark_status_event.job_meta?.resolved_sha
  expect(shaOf(withCommit(said, 'abc1234'))).toBe('abc1234')
  expect(shaOf(withCommit(said, undefined))).toBeUndefined()
  expect(withCommit(said, 'abc1234')).toBe(said.replace('fffffff', 'abc1234'))
})

test('a refusal is an event that the hub takes', () => {
  const { benchmark_status_event: event } = decode(StatusEvent, 'StatusEvent', refusalOf(run, 'why'))
  expect(event).toMatchObject({ status: 'failed', benchmark_index: 2, error_message: { message: 'why' } })
})

describe('isSuperseded', () => {
  const event = (more: object) => readEvent(body(more), run)
  test.each([
    [{ progress: 0.1 }, { progress: 0.2 }, true],
    [{}, { progress: 0.2 }, true],
    [{ progress: 0.1, phase: 'a' }, { progress: 0.2 }, false],
    [{ warning_message: {} }, { progress: 0.2 }, false],
    [{ progress: 0.1 }, { progress: 0.2, status: 'completed' }, false],
    [{ status: 'failed' }, { status: 'completed' }, false],
  ])('%j by %j: %s', (earlier, later, expected) => {
    expect(isSuperseded(event(earlier), event(later))).toBe(expected)
  })
})
