import { describe, expect } from 'vitest'
import { cancelEvaluation, deleteEvaluation } from '../commands/cancel-evaluation.ts'
import { specFor, submitSpecs } from '../test-evaluation.ts'
import { test } from '../test-db.ts'
import { listAttemptEnds, listLaunchWaits, nextSpan, readStandings } from './gauges.ts'

const NOW = '2026-11-25T12:00:00Z'
const spec = specFor('true')

describe('readStandings', () => {
  // Guarantee: a counter made of it never goes back, or rates would show a burst of jobs that nobody submitted.
  test('counts a job that was deleted in the state that it had, and each once', async ({ db }) => {
    const scope = { tenant: 'red', user: 'ann', everyTenant: false }
    const ids = await Promise.all(['red', 'red', 'red', 'blue'].map((tenant) => submitSpecs(db, [spec, spec], { tenant })))
    await cancelEvaluation(db, scope, ids[0]!, NOW)
    expect(await readStandings(db)).toMatchObject({
      jobs: { pending: 3, cancelled: 1 },
      deletedJobs: {},
      queued: 6,
      launched: 0,
      unsettled: 2,
    })

    await deleteEvaluation(db, scope, ids[0]!, NOW)
    await deleteEvaluation(db, scope, ids[1]!, NOW)
    await db`delete from evalhub.evaluations where id = ${ids[0]!}`
    const { jobs, deletedJobs } = await readStandings(db)
    expect({ ...jobs, cancelled: jobs.cancelled ?? 0 }).toEqual({ pending: 2, cancelled: 0 })
    expect(deletedJobs).toEqual({ cancelled: 2 })
  })

  test('knows how long the first in the queue has waited: from its submit, or from when it was to be tried again', async ({ db }) => {
    await db`truncate evalhub.evaluations cascade`
    expect((await readStandings(db)).oldestQueuedSeconds).toBe(0)
    const id = await submitSpecs(db, [spec])
    await db`update evalhub.evaluations set created_at = now() - interval '100 s' where id = ${id}`
    expect((await readStandings(db)).oldestQueuedSeconds).toBeCloseTo(100, 0)
    await db`update evalhub.launch_queue set attempt = 2, due_at = now() - interval '7 s' where evaluation_id = ${id}`
    expect((await readStandings(db)).oldestQueuedSeconds).toBeCloseTo(7, 0)
  })
})

test('spans follow each other without gap or overlap, so each launch and each end is seen once', async ({ db }) => {
  const id = await submitSpecs(db, [spec, spec, spec])
  const first = await nextSpan(db, undefined, 0)
  expect(first.from).toBe(first.to)
  await db`insert into evalhub.attempts (evaluation_id, benchmark_index, attempt, holder, object_uid, ended_at, failure_class)
    values (${id}, 0, 1, 'b', 'u', null, null), (${id}, 1, 1, 'b', 'u', now() + interval '2 s', 'oom'), (${id}, 2, 1, '', null, now(), 'quota')`
  const second = await nextSpan(db, first.to, -1)
  const third = await nextSpan(db, second.to, -10)
  expect(second.from).toBe(first.to)

  expect(await listLaunchWaits(db, second)).toHaveLength(2)
  expect(await listAttemptEnds(db, second)).toEqual([{ failureClass: 'quota', isLaunched: false, seconds: 0 }])
  expect(await listLaunchWaits(db, third)).toEqual([])
  expect(await listAttemptEnds(db, third)).toEqual([{ failureClass: 'oom', isLaunched: true, seconds: 2 }])
})
