import { describe, expect } from 'vitest'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { EVERY_TENANT } from '../scope.ts'
import { openStore } from '../store.ts'
import { specFor, submitSpecs } from '../test-evaluation.ts'
import { test } from '../test-db.ts'
import { changeRuns } from './change-runs.ts'
import type { LockedRun } from './decision.ts'

const NOW = '2026-11-23T12:00:00Z'
const spec = specFor('true')
const RESULT = { metrics: { acc: 0.5 }, additional_info: { n: 1 }, artifacts: { samples: 'long' }, mlflow_run_id: 'm', logs_path: '/l' }
const completed = (index: number) =>
  BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', benchmark_index: index, status: 'completed', ...RESULT })

describe('changeRuns', () => {
  // Guarantee: many large results in one job cost whoever reports the next one nothing.
  test('reads no results: a run that has some has ended', async ({ db }) => {
    const evaluationId = await submitSpecs(db, [spec, spec])
    await openStore(db).recordEvent({ evaluationId, event: completed(0) }, NOW)

    let seen: readonly LockedRun[] = []
    await changeRuns(db, EVERY_TENANT, evaluationId, (_, runs) => void (seen = runs))

    expect(seen).toHaveLength(2)
    expect(seen[0]).toMatchObject({ state: 'completed' })
    for (const name of Object.keys(RESULT)) expect(seen[0]).not.toHaveProperty(name)
  })

  test('changes no run that has ended, whatever was decided', async ({ db }) => {
    const evaluationId = await submitSpecs(db, [spec, spec])
    await openStore(db).recordEvent({ evaluationId, event: completed(0) }, NOW)

    await changeRuns(db, EVERY_TENANT, evaluationId, (_, runs) => ({ runs: runs.map((run) => ({ ...run, progress: 0.25 })) }))

    const rows = await db`
      select progress, metrics, additional_info, artifacts, mlflow_run_id, logs_path from evalhub.runs
      where evaluation_id = ${evaluationId} order by benchmark_index`
    expect(rows).toMatchObject([{ progress: 1, ...RESULT }, { progress: 0.25 }])
  })
})
