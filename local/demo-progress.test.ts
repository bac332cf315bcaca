import { describe, expect, test } from 'vitest'
import type { BenchmarkStatus } from '#sdk/models.ts'
import { changeLines, liveLines } from './demo-progress.ts'
import { painter, widthOf } from './terminal.ts'

const status = (more: Partial<BenchmarkStatus>): BenchmarkStatus => ({
  provider_id: 'p',
  id: 'sums',
  benchmark_index: 0,
  status: 'running',
  ...more,
})

const STATES: BenchmarkStatus[] = [
  status({ status: 'pending' }),
  status({ id: 'capitals', phase: 'running_evaluation', progress: 0.505 }),
  status({ status: 'completed', progress: 0.9 }),
  status({ status: 'failed' }),
]

describe('liveLines', () => {
  test('show a bar, the share and what goes on', () => {
    expect(liveLines(STATES, 54, painter(false))).toEqual([
      '  sums      ──────────    0 %  waiting',
      '  capitals  ━━━━━─────   50 %  running evaluation',
      '  sums      ━━━━━━━━━━  100 %  done',
      '  sums      ──────────    0 %  failed',
    ])
  })

  test.each([40, 60, 80, 200])('fit into %i columns with long names too', (columns) => {
    const long = [...STATES, status({ id: 'a-very-long-benchmark-name-that-does-not-fit-anywhere-at-all', phase: 'persisting_artifacts' })]
    for (const line of liveLines(long, columns, painter(true))) expect(widthOf(line)).toBeLessThan(columns)
  })
})

test('names from a catalogue steer no terminal', () => {
  const hostile = [status({ id: '\u001b[2J\nall done' })]
  expect(liveLines(hostile, 60, painter(false))[0]).toMatch(/^ {2}␛\[2J all done {2}─/)
  expect(changeLines([], hostile)).toEqual(['  ␛[2J all done: running'])
})

describe('changeLines', () => {
  test('say everything at first', () => {
    expect(changeLines([], STATES)).toEqual(['  sums: waiting', '  capitals: running evaluation, 50 %', '  sums: done', '  sums: failed'])
  })

  test.each<[Partial<BenchmarkStatus>, Partial<BenchmarkStatus>, string[]]>([
    [{ progress: 0.3 }, { progress: 0.49 }, []],
    [{ progress: 0.3 }, { progress: 0.5 }, ['  sums: running, 50 %']],
    [{ progress: 0.9 }, { status: 'completed' }, ['  sums: done']],
    [{ status: 'pending' }, { phase: 'loading_data' }, ['  sums: loading data']],
  ])('from %j to %j say %j', (before, now, lines) => {
    expect(changeLines([status(before)], [status(now)])).toEqual(lines)
  })
})
