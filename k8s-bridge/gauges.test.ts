import { Registry } from 'prom-client'
import { expect } from 'vitest'
import { connect } from '#db/client.ts'
import { specFor, submitSpecs } from '#db/test-evaluation.ts'
import { test } from '#db/test-db.ts'
import { createGauges } from './gauges.ts'

const linesOf = async (registry: Registry) => (await registry.metrics()).split('\n').filter((line) => line.startsWith('evalhub_'))

test('a scrape shows how jobs and the queue stand, without a tenant', async ({ db }) => {
  await submitSpecs(db, [specFor('true'), specFor('true')], { tenant: 'team-red' })
  const registry = new Registry()
  const refresh = createGauges({ registry, db, runtime: 'kubernetes' })
  await refresh()
  const lines = await linesOf(registry)
  expect(lines).toEqual(
    expect.arrayContaining([
      'evalhub_database_up 1',
      'evalhub_evaluation_jobs_total{action="created",runtime="kubernetes"} 1',
      'evalhub_evaluation_jobs_total{action="cancelled"} 0',
      'evalhub_evaluation_job_completions_total{state="partially_failed"} 0',
      'evalhub_evaluation_jobs{state="pending"} 1',
      'evalhub_benchmark_runs{state="queued"} 2',
      'evalhub_benchmark_runtime_errors_total{runtime="kubernetes"} 0',
    ]),
  )
  expect(lines.join()).not.toContain('team-red')
})

test('a database that is away fails no scrape, and is shown', async () => {
  const registry = new Registry()
  const db = connect('postgres://nobody@127.0.0.1:1/none', { max: 1 })
  await createGauges({ registry, db, runtime: 'local' })()
  expect(await linesOf(registry)).toContain('evalhub_database_up 0')
  await db.end({ timeout: 0 })
})

test('scrapes that come at once, or soon after, ask the database once', async ({ db }) => {
  let asked = 0
  const counting = new Proxy(db, { apply: (target, self, parameters) => (asked++, Reflect.apply(target, self, parameters)) })
  const refresh = createGauges({ registry: new Registry(), db: counting, runtime: 'local' })
  await Promise.all([refresh(), refresh(), refresh()])
  const once = asked
  await refresh()
  expect(asked).toBe(once)
  expect(once).toBeGreaterThan(0)
})
