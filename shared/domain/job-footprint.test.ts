import { describe, expect, test } from 'vitest'
import { isShort, newJobFootprint, runFootprint, tooLarge, withoutResults } from './job-footprint.ts'

const MIB = 1024 * 1024
const request = { name: 'job', model: { url: 'http://localhost:1/v1', name: 'm' } }
const message = (length: number) => ({ message: 'm'.repeat(length), message_code: 'code', message_origin: 'adapter' })
const results = (bytes: number) => ({ artifacts: { text: 'x'.repeat(bytes) } })

describe('a new job', () => {
  test('has room for its request and its runs, and refuses more with what, how much and what to do', () => {
    expect(newJobFootprint(request, 2)).toBe(newJobFootprint(request, 1) + 3072)
    const long = { ...request, custom: { text: 'x'.repeat(12 * MIB) } }
    expect(() => newJobFootprint(long, 1)).toThrow('the job comes to 12.0 MiB; at most 12.0 MiB are kept. Shorten what is given')
    expect(newJobFootprint(request, 1000)).toBeGreaterThan(3_000_000)
  })
})

describe('what a run adds', () => {
  test.each([
    ['nothing for short messages', { error_message: message(100), warning_message: message(100) }, 0],
    ['nothing for none', { error_message: null, metrics: null }, 0],
  ])('is %s', (_, run, footprint) => {
    expect(runFootprint(run)).toBe(footprint)
    expect(isShort(run)).toBe(true)
  })

  test('is a long message, each result, and the type of each metric, which answers name', () => {
    expect(runFootprint({ error_message: message(1000) })).toBeGreaterThan(1000)
    expect(isShort({ error_message: message(1000) })).toBe(false)
    const one = runFootprint({ metrics: { acc: 1 } })
    expect(one).toBeGreaterThan(JSON.stringify([{ name: 'acc', type: 'numeric' }, { acc: 1 }]).length)
    expect(runFootprint({ metrics: { acc: 1, f1: 1 }, ...results(1000) })).toBeGreaterThan(one + 1000)
  })
})

describe('a report', () => {
  const judge = (jobFootprint: number, after: object, before: object = {}) =>
    tooLarge({ job: { footprint: jobFootprint + 4 * 3072, runs: 4 }, before, after, benchmarkIndex: 3 })

  test.each([
    ['within the bounds of a run and its job', 12 * MIB, results(7.9 * MIB), undefined],
    ['of more than a run may have', 0, results(8 * MIB), 'benchmark 3 come to 8.0 MiB; at most 8.0 MiB of a run are kept. Report less'],
    [
      'of more than its job has room for',
      13 * MIB,
      results(7.5 * MIB),
      'its job has 13.0 MiB already, and at most 20.0 MiB of a job are kept',
    ],
    ['without results where there is no room left', 20 * MIB, { error_message: message(100) }, undefined],
    ['that says why there are no results, where there is none', 20 * MIB, { error_message: message(3000) }, undefined],
    ['of long messages without end', 24 * MIB, { error_message: message(3000) }, 'its job has 24.0 MiB already'],
  ])('%s', (_, jobFootprint, after, why) => {
    const said = judge(jobFootprint, after)
    if (why === undefined) expect(said).toBeUndefined()
    else expect(said).toContain(why)
  })

  test('that takes the place of a long message needs no room for both', () => {
    const before = { error_message: message(16_000) }
    expect(judge(24 * MIB, before, before)).toBeUndefined()
  })

  test('that is kept without its results says so', () => {
    const event = { provider_id: 'p', id: 'b', benchmark_index: 3, status: 'failed', error_message: message(10), ...results(10) } as const
    const kept = withoutResults(event, 'they are too long')
    expect(kept).toMatchObject({ status: 'failed', error_message: message(10) })
    expect(kept.warning_message?.message).toBe('Its results were not kept: they are too long.')
    expect(runFootprint(kept)).toBe(0)
  })
})
