import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import type { BenchmarkResult, BenchmarkStatus, Collection, EvaluationJob } from '#sdk/models.ts'
import { formatScore, nextLines, reportLines } from './demo-report.ts'
import { painter, widthOf } from './terminal.ts'

const PLAIN = painter(false)

const statistics = { n: 199, stderr: 0.0285, ci95: [0.739, 0.851], planned: 200, scored: 199, failed: 1, bounds: [0.791, 0.796] }

const passed: BenchmarkResult = {
  id: 'sums',
  provider_id: 'builtin',
  benchmark_index: 0,
  metrics: { accuracy: 0.795 },
  additional_info: { statistics: { accuracy: statistics } },
  test: { primary_score: 0.795, primary_score_metric: 'accuracy', threshold: 0.6, pass: true },
}
const slow: BenchmarkResult = {
  id: 'speed',
  provider_id: 'builtin',
  benchmark_index: 1,
  test: { primary_score: 812.345, primary_score_metric: 'ttft_ms_p99', threshold: 500, pass: false },
}

const status = (benchmark_index: number, more: Partial<BenchmarkStatus>): BenchmarkStatus => ({
  provider_id: 'builtin',
  id: 'sums',
  benchmark_index,
  status: 'completed',
  ...more,
})

const jobOf = (
  state: EvaluationJob['status']['state'],
  benchmarks: BenchmarkStatus[],
  results: EvaluationJob['results'],
): EvaluationJob => ({
  resource: { id: 'j', created_at: 't' },
  status: { state, message: { message: 'm', message_code: 'c' }, benchmarks },
  results,
  name: 'demo',
  model: { url: 'http://m', name: 'm' },
})

const collection: Collection = {
  resource: { id: 'c', created_at: 't', updated_at: 't' },
  name: 'c',
  description: '',
  category: 'x',
  benchmarks: [
    { id: 'sums', provider_id: 'builtin', weight: 2 },
    { id: 'speed', provider_id: 'builtin', weight: 0 },
  ],
}

const complete = jobOf('completed', [status(0, {}), status(1, { id: 'speed' })], {
  benchmarks: [slow, passed],
  test: { score: 0.7, threshold: 0.65, pass: true },
})

describe('formatScore', () => {
  test.each([
    [0.7949, '0.795'],
    [1, '1.000'],
    [0, '0.000'],
    [812.345, '812.3'],
    [123456, '123500'],
  ])('%d is %s', (value, text) => {
    expect(formatScore(value)).toBe(text)
  })
})

describe('reportLines', () => {
  test('tabulate every benchmark by its index, with interval, threshold, verdict, errors and weight', () => {
    expect(reportLines(complete, collection, 100, PLAIN)).toEqual([
      '',
      '  Benchmark  Score  95 % interval   Threshold  Verdict  Scored  Errors  Weight',
      '  ─────────  ─────  ──────────────  ─────────  ───────  ──────  ──────  ──────',
      '  sums       0.795  0.739 to 0.851    ≥ 0.600  pass        199       1       2',
      '  speed      812.3  –                   ≤ 500  fail          –       –       1',
      '',
      '  Overall score 0.700, threshold 0.650: pass',
      '',
      '  sums: with its 1 failed item answered, the score would be from 0.791 to 0.796',
    ])
  })

  test('give the reason of a benchmark without result, and no overall score', () => {
    const job = jobOf(
      'partially_failed',
      [status(0, {}), status(1, { id: 'speed', status: 'failed', error_message: { message: 'no \u001b[2Janswer', message_code: 'x' } })],
      {
        benchmarks: [{ ...passed, additional_info: { statistics: 'nonsense' } }],
      },
    )
    expect(reportLines(job, collection, 100, PLAIN).slice(3)).toEqual([
      '  sums       0.795  –                ≥ 0.600  pass          –       –       2',
      '  speed          –  –                      –  failed        –       –       1',
      '',
      '  No overall score: not every benchmark was completed.',
      '',
      '  speed: failed: no ␛[2Janswer',
    ])
  })

  test('repeat the warning of a run', () => {
    const job = jobOf('completed', [status(0, { warning_message: { message: 'few items', message_code: 'w' } })], { benchmarks: [] })
    expect(reportLines(job, collection, 100, PLAIN).at(-1)).toBe('  sums: warning: few items')
  })

  test('fit the table into a narrow terminal, colours or not', () => {
    const job = jobOf('completed', [status(0, { id: 'a-long-name-of-a-benchmark' })], { benchmarks: [passed] })
    const table = reportLines(job, collection, 80, painter(true)).slice(1, 4)
    expect(table.map(widthOf).every((width) => width <= 80)).toBe(true)
    expect(table[2]).toContain('a-long-n')
    expect(table[2]).toContain('\u001b[32mpass')
  })
})

describe('nextLines', () => {
  test('say that a toy says nothing about models, and only for the toy', () => {
    expect(nextLines(undefined, 'c', PLAIN).join('\n')).toContain('They say nothing about any real model')
    expect(nextLines({ url: 'http://h/v1', name: 'm', apiKey: undefined }, 'c', PLAIN).join('\n')).not.toContain('toy')
  })

  test.each([
    [undefined, { url: 'http://localhost:11434/v1', name: 'MODEL' }],
    [
      { url: 'http://h/v1', name: "it's $HOME", apiKey: 'sk-secret' },
      { url: 'http://h/v1', name: "it's $HOME", auth: { secret_ref: '/FOLDER' } },
    ],
  ])('for the model %j hold a request that a shell understands', (model, sent) => {
    const curl = nextLines(model, 'starter-v1', PLAIN).find((line) => line.includes('curl'))!
    const printed = execFileSync('sh', ['-c', curl.replace('curl', "printf '%s\\n'")], { encoding: 'utf8' }).split('\n')
    expect(JSON.parse(printed[3]!)).toEqual({ name: 'first', model: sent, collection: { id: 'starter-v1' } })
  })
})
