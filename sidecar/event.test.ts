import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decode, namesOf, spelled } from '#shared/decode.ts'
import { formatLastWords, readLastWords } from '#shared/domain/last-words.ts'
import { withoutModelUsage } from '#shared/domain/model-usage.ts'
import { HubError } from '#shared/errors.ts'
import { StatusEvent } from '#shared/models/event.ts'
import { EVENT_NAMES } from './event-names.ts'
import { formatEvent, isSuperseded, readEvent, refusalOf } from './event.ts'
import { noUsage } from './usage.ts'

const run = { evaluationId: 'job', providerId: 'frame', benchmarkId: 'first', benchmarkIndex: 2 }
const body = (more: object = {}) =>
  JSON.stringify({ benchmark_status_event: { provider_id: 'frame', id: 'first', benchmark_index: 2, status: 'running', ...more } })
const hubReads = (sent: string) => decode(StatusEvent, 'StatusEvent', sent).benchmark_status_event

test('the names that are known without the schema are those of the schema', () => {
  expect(EVENT_NAMES).toEqual(namesOf(StatusEvent))
})

describe('readEvent', () => {
  test.each([
    ['running', false],
    ['pending', false],
    ['completed', true],
    ['failed', true],
  ])('%s is terminal: %s', (status, isTerminal) => {
    expect(readEvent(body({ status }), run)).toMatchObject({ isTerminal, event: { status } })
  })

  test('reads names in any case, as the hub does, and what is missing as the first benchmark', () => {
    const text = '{"Benchmark_Status_Event":{"ID":"first","Provider_id":"frame","STATUS":"completed"}}'
    expect(readEvent(text, { ...run, benchmarkIndex: 0 }).isTerminal).toBe(true)
  })

  test.each(['', '5', '[]', 'null', '{}', '{"benchmark_status_event":[]}', '{"benchmark_status_event":{}}', body().replace('2', 'NaN')])(
    'refuses %j',
    (text) => {
      expect(() => readEvent(text, run)).toThrow(/^The request JSON is invalid: /)
    },
  )

  test.each([{ benchmark_index: 1 }, { benchmark_index: '2' }, { id: 'second' }, { provider_id: 'other' }, { benchmark_index: null }])(
    'refuses %j, which is another run',
    (more) => {
      expect(() => readEvent(body(more), run)).toThrow("This sidecar takes the events of benchmark 2 ('first' of provider 'frame') only.")
    },
  )
})

const usage = { ...noUsage(), requests: 7 }
const known = { usage, commit: 'abc1234' }

/** A name as the schema has it, or as this reader or another one would take for it, written with or without escapes. */
const keyOf = (name: string) =>
  fc
    .constantFrom(
      name,
      name.toUpperCase(),
      name.replaceAll('_', ''),
      name.split('').join('_'),
      name.replaceAll('k', '\u212a').replaceAll('s', '\u017f'),
      name.replaceAll('_', '-'),
    )
    .chain((key) => fc.constantFrom(JSON.stringify(key), `"\\u${key.charCodeAt(0).toString(16).padStart(4, '0')}${key.slice(1)}"`))
const member = (name: string, value: fc.Arbitrary<string>) => fc.tuple(keyOf(name), value).map(([key, text]) => `${key}:${text}`)
/** Members in any order and number, so that names come twice. */
const object = (...members: fc.Arbitrary<string>[]) => fc.array(fc.oneof(...members)).map((texts) => `{${texts.join(', ')}}`)
const value = fc.jsonValue({ maxDepth: 2 }).map((json) => JSON.stringify(json))
const own = fc.tuple(fc.string(), value).map(([name, text]) => `${JSON.stringify(name)}:${text}`)

/** Mostly such that the hub takes it, for it reads a whole event or nothing. */
const mostly = (usual: fc.Arbitrary<string>, rare: fc.Arbitrary<string> = value) =>
  fc.oneof({ weight: 19, arbitrary: usual }, { weight: 1, arbitrary: rare })
const said = object(
  member('status', mostly(fc.constantFrom('"running"', '"completed"', '"failed"', 'null'), fc.constantFrom('"Completed"', '7'))),
  member('additional_info', mostly(object(member('model_usage', value), own))),
  member('metrics', mostly(object(own))),
  member('progress', mostly(fc.constantFrom('0.5', '1e-7', 'null', '-0'))),
  member('job_meta', mostly(object(member('resolved_sha', mostly(fc.constant('"fffffff"')))))),
  member('warning_message', mostly(fc.constantFrom('{"message":"a","MESSAGE_code":"b"}', 'null'))),
  member('benchmark_index', mostly(fc.constantFrom('2', '2.0'), fc.constantFrom('0', 'null'))),
  own,
)
const ofThisRun = (text: string) =>
  text.replace('{', '{"provider_id":"frame","id":"first","benchmark_index":2,"status":"running", ').replace(', }', '}')
const events = fc
  .array(member('benchmark_status_event', fc.oneof({ weight: 9, arbitrary: said.map(ofThisRun) }, { weight: 1, arbitrary: said })), {
    minLength: 1,
    maxLength: 2,
  })
  .map((texts) => `{${texts.join(',')}}`)

const attempt = <Result>(act: () => Result): Result | undefined => {
  try {
    return act()
  } catch (error) {
    if (error instanceof HubError) return undefined
    throw error
  }
}
const lettersOf = (name: string) =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
const usageNames = (of: Record<string, unknown> = {}) => Object.keys(of).filter((name) => lettersOf(name) === 'modelusage')

// Guarantee: whatever an adapter sends, the hub reads in it what its sidecar has read, and of the usage what its sidecar has counted.
test('what is sent has one reading, and it is that of the sidecar', () => {
  const seen = { sent: 0, terminal: 0, whole: 0 }
  fc.assert(
    fc.property(events, (text) => {
      const read = attempt(() => readEvent(text, run))
      if (!read) return
      const sent = formatEvent(read, known)
      seen.sent++
      // No name twice, neither exactly nor nearly.
      expect(JSON.stringify(JSON.parse(sent))).toBe(sent)
      expect(JSON.stringify(spelled(EVENT_NAMES, JSON.parse(sent)))).toBe(sent)
      expect(readLastWords(formatLastWords(sent))).toEqual([sent])

      const heard = attempt(() => hubReads(sent))
      if (!heard) return
      seen.whole++
      expect(heard).toMatchObject({ status: read.event.status, benchmark_index: 2, job_meta: { resolved_sha: 'abc1234' } })
      expect(['completed', 'failed'].includes(heard.status)).toBe(read.isTerminal)
      expect(usageNames(heard.additional_info)).toEqual(read.isTerminal ? ['model_usage'] : [])
      if (read.isTerminal) expect(heard.additional_info?.model_usage).toEqual(usage)
      if (read.isTerminal) seen.terminal++

      // And nothing else differs from what the hub would have read itself.
      const direct = attempt(() => hubReads(text))
      if (!direct) return
      const [{ job_meta: _, additional_info: ours, ...rest }, { job_meta: __, additional_info: theirs, ...others }] = [heard, direct]
      expect(rest).toEqual(others)
      expect({ ...ours, model_usage: undefined }).toEqual({ ...(theirs && withoutModelUsage(theirs)), model_usage: undefined })
    }),
    { numRuns: 2000 },
  )
  // It has looked at all of it.
  expect(seen.sent).toBeGreaterThan(300)
  expect(seen.whole).toBeGreaterThan(200)
  expect(seen.terminal).toBeGreaterThan(50)
})

test('what is no object is left for the hub to refuse', () => {
  const sent = formatEvent(readEvent(body({ status: 'completed', additional_info: [1] }), run), known)
  expect(() => hubReads(sent)).toThrow(/additional_info/)
})

test('a refusal is an event that the hub takes', () => {
  expect(hubReads(formatEvent(refusalOf(run, 'why'), known))).toMatchObject({
    status: 'failed',
    benchmark_index: 2,
    error_message: { message: 'why' },
    additional_info: { model_usage: usage },
  })
})

describe('isSuperseded', () => {
  const event = (more: object) => readEvent(body(more), run)
  test.each([
    [{ progress: 0.1 }, { progress: 0.2 }, true],
    [{}, { progress: 0.2 }, true],
    [{ progress: 0.1, phase: 'a' }, { progress: 0.2 }, false],
    [{ warning_message: {} }, { progress: 0.2 }, false],
    [{ warning_message: {} }, { warning_message: null }, false],
    [{ progress: 0.1 }, { progress: 0.2, status: 'completed' }, false],
    [{ status: 'failed' }, { status: 'completed' }, false],
  ])('%j by %j: %s', (earlier, later, expected) => {
    expect(isSuperseded(event(earlier), event(later))).toBe(expected)
  })
})
