import { expect, test as pure, describe } from 'vitest'
import { recordLaunches } from '#db/commands/record-launch.ts'
import { claimLaunches } from '#db/commands/claim-launches.ts'
import { settleRuns } from '#db/commands/settle-run.ts'
import type { JobLine } from '#db/queries/job-lines.ts'
import { test } from '#db/test-db.ts'
import { specFor, submitSpecs } from '#db/test-evaluation.ts'
import { recordEvent } from '#db/commands/record-event.ts'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { createJobLines, endLine, startLine } from './job-lines.ts'

const job: JobLine = {
  id: 'x',
  name: 'first',
  state: 'completed',
  benchmarks: 2,
  attempts: 2,
  unsettled: 0,
  score: 0.8333333,
  passed: true,
  failed: null,
  failures: 0,
}

describe('startLine', () => {
  pure('is for the first launches of a job only', () => {
    expect(startLine(job, 2)).toBe('Job first (x) started: 2 benchmarks')
    expect(startLine({ ...job, benchmarks: 1, attempts: 1 }, 1)).toBe('Job first (x) started: 1 benchmark')
    expect(startLine(job, 1)).toBeUndefined()
  })
})

describe('endLine', () => {
  const failure = { benchmark: 'builtin/a', message: 'The model refused the connection.' }

  pure.each<[Partial<JobLine>, string | undefined]>([
    [{}, 'Job first (x) completed, score 0.8333, pass'],
    [{ passed: false, score: 0 }, 'Job first (x) completed, score 0, fail'],
    [{ score: null, passed: null }, 'Job first (x) completed'],
    [{ state: 'cancelled', score: null, passed: null }, 'Job first (x) was cancelled'],
    [
      { state: 'failed', score: null, passed: null, failed: [failure], failures: 1 },
      'Job first (x) failed: builtin/a: The model refused the connection.',
    ],
    [
      { state: 'partially_failed', failed: [failure, { ...failure, message: null }], failures: 5 },
      'Job first (x) ended, failed in part, score 0.8333, pass: builtin/a: The model refused the connection.; builtin/a: no reason is known; and 3 more',
    ],
    [{ state: 'running' }, undefined],
    [{ unsettled: 1 }, undefined],
  ])('of %j is %j', (more, line) => {
    expect(endLine({ ...job, ...more })).toBe(line)
  })
})

describe('createJobLines', () => {
  // Guarantee: one line when a job starts and one when it has ended, however many benchmarks it has; and no line steers the terminal.
  test('says once that a job started and once that it ended, with the reason of what failed', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true'), specFor('true')])
    const said: string[] = []
    const lines = createJobLines({
      db,
      say: (line) => said.push(line),
      now: () => new Date(2026, 0, 1, 9, 5, 7),
      onError: (error) => said.push(String(error)),
    })
    const { claims } = await claimLaunches(db, { holder: 'here', limit: 9, leaseSeconds: 10 })
    for (const { queueId, evaluationId, benchmarkIndex, attempt } of claims) {
      const launched = { queueId, evaluationId, benchmarkIndex, attempt, objectUid: 'pid:1' }
      await recordLaunches(db, 'here', [launched])
      lines.runLog.launched([launched])
      await lines.finish()
    }
    for (const benchmark_index of [0, 1]) {
      const status = benchmark_index === 0 ? 'completed' : 'failed'
      const words = { error_message: { message: 'no such\u001b[2J model\nat all', message_code: 'x' } }
      const event = BenchmarkStatusEvent.parse({
        provider_id: 'provider',
        id: 'benchmark',
        benchmark_index,
        status,
        ...(status === 'failed' && words),
      })
      await recordEvent(db, { evaluationId: id, event }, new Date().toISOString())
      lines.runLog.ended(await settleRuns(db, [{ evaluationId: id, benchmarkIndex: benchmark_index, attempt: 1 }]))
      await lines.finish()
    }
    expect(said.join()).not.toContain('\u001b')
    expect(said).toEqual([
      `09:05:07 Job test (${id}) started: 2 benchmarks`,
      expect.stringMatching(/^09:05:07 Job test \(\S+\) ended, failed in part: provider\/benchmark: no such\S* model.*at all$/),
    ])
  })
})
