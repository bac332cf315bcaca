import { describe, expect, test } from 'vitest'
import { bestLevel, levelMetrics } from './load-measure.ts'
import { driveLevel, levelsOf } from './load-profile.ts'

describe('levelMetrics', () => {
  const measured = [
    { latencyMs: 1000, firstTokenMs: 200, lastTokenMs: 1000, tokens: { input: 10, output: 5 } },
    { latencyMs: 3000, firstTokenMs: 400, lastTokenMs: 3000, tokens: { input: 10, output: 14 } },
  ]
  const record = { concurrency: 2, planned: 3, failed: 1, elapsedMs: 4000, measured }

  test('of known requests has the known values', () => {
    const { metrics, statistics } = levelMetrics(record)
    expect(metrics).toEqual({
      ttft_ms_mean: 300,
      ttft_ms_p50: 300,
      ttft_ms_p90: 380,
      ttft_ms_p99: expect.closeTo(398, 9),
      inter_token_latency_ms_mean: 200,
      inter_token_latency_ms_p50: 200,
      inter_token_latency_ms_p90: 200,
      inter_token_latency_ms_p99: 200,
      request_latency_ms_mean: 2000,
      request_latency_ms_p50: 2000,
      request_latency_ms_p90: 2800,
      request_latency_ms_p99: expect.closeTo(2980, 9),
      output_tokens_mean: 9.5,
      output_tokens_p50: 9.5,
      output_tokens_p90: expect.closeTo(13.1, 9),
      output_tokens_p99: expect.closeTo(13.91, 9),
      requests_per_s: 0.5,
      input_tokens_per_s: 5,
      output_tokens_per_s: 4.75,
    })
    expect(statistics.request_latency_ms_mean).toMatchObject({ n: 2, planned: 3, scored: 2, failed: 1, stderr: 1000 })
  })

  test('claims no token figures if one answer has no count', () => {
    const { metrics } = levelMetrics({ ...record, measured: [...measured, { latencyMs: 1, firstTokenMs: 1, lastTokenMs: 1, tokens: {} }] })
    expect(metrics.output_tokens_per_s).toBeUndefined()
    expect(metrics.requests_per_s).toBe(0.75)
  })

  test('of requests that all failed has a rate of 0 and no times', () => {
    expect(levelMetrics({ ...record, measured: [] })).toEqual({ metrics: { requests_per_s: 0 }, statistics: {} })
  })
})

test('the best level has the most requests a second; of equals the one with less load', () => {
  const levels = [1, 3, 3, 2].map((requests_per_s, at) => ({ at, metrics: { requests_per_s } }))
  expect(bestLevel(levels)?.at).toBe(1)
})

describe('levelsOf', () => {
  const settings = { concurrency: 8, rate: 5, levels: [1, 4] }
  test.each([
    ['constant', [{ concurrency: 8, rate: 5 }]],
    ['concurrent', [{ concurrency: 8 }]],
    ['sweep', [{ concurrency: 1 }, { concurrency: 4 }]],
  ] as const)('of %s are %j', (profile, expected) => {
    expect(levelsOf({ ...settings, profile })).toEqual(expected)
  })
})

describe('driveLevel', () => {
  const signal = new AbortController().signal

  test('keeps exactly as many requests under way as asked', async () => {
    let now = 0
    let most = 0
    let sent = 0
    const fire = async () => {
      sent++
      most = Math.max(most, ++now)
      await new Promise((resolve) => setImmediate(resolve))
      now--
    }
    await driveLevel({ concurrency: 3 }, { requests: 20, durationMs: Infinity }, fire, signal)
    expect([sent, most]).toEqual([20, 3])
  })

  // Guarantee: a slow endpoint cannot slow the schedule and so hide its slowness (coordinated omission).
  test('at a constant rate counts from the schedule, even where too many requests are under way', async () => {
    const schedule: number[] = []
    const delays: number[] = []
    const fire = async (_: number, scheduledAt: number) => {
      schedule.push(scheduledAt)
      delays.push(performance.now() - scheduledAt)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await driveLevel({ concurrency: 1, rate: 100 }, { requests: 5, durationMs: Infinity }, fire, signal)
    const [first = 0, , , , last = 0] = schedule
    expect(last - first).toBeCloseTo(40, 6)
    expect(delays.at(-1)).toBeGreaterThan(100)
  })

  test('starts nothing after its time', async () => {
    let sent = 0
    const fire = async () => {
      sent++
    }
    await driveLevel({ concurrency: 1, rate: 1000 }, { requests: 1_000_000, durationMs: 20 }, fire, signal)
    expect(sent).toBe(20)
  })

  test('ends with the reason of an abort', async () => {
    const stop = new AbortController()
    const fire = async (index: number) => {
      if (index === 3) stop.abort(new Error('enough'))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await expect(driveLevel({ concurrency: 1 }, { requests: 100, durationMs: Infinity }, fire, stop.signal)).rejects.toThrow('enough')
  })
})
