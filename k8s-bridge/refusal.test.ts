import { describe, expect, vi } from 'vitest'
import { specFor, storedRuns, submitSpecs } from '#db/test-evaluation.ts'
import { report, runBecomes, signal, test, textOf } from './test-bridge.ts'

describe('a run that cannot be launched here', () => {
  test.for([
    ['for want of a command', specFor('')] as const,
    ['if its provider came over the API', specFor('sleep 100', { from_catalogue: false })] as const,
  ])('fails within moments %s, even if no slot is free', async ([, spec], { db, directory, start }) => {
    await start({ maxParallel: 1 })
    await submitSpecs(db, [specFor(`echo $$ >> ${directory}/pid; exec sleep 100`)])
    await textOf(`${directory}/pid`)

    const id = await submitSpecs(db, [spec])

    const run = await runBecomes(db, id, { state: 'failed', is_settled: true })
    expect(run.message).toMatch(
      /^(Local runtime is not enabled for provider 'provider'\. Please configure a local runtime command for this provider and try again\.|The command of provider provider is not run)/,
    )
    // Contract 8.1: what the server could not launch is the server's word.
    const [row] = await db`select error_message from evalhub.runs where evaluation_id = ${id}`
    expect(row?.error_message).toMatchObject({ message_code: 'evaluation_job_failed', message_origin: 'server' })
  })

  // Adapters can be driven by hand, and tests of the API report for runs of any provider.
  test('takes what is reported for it until then', async ({ db, start }) => {
    const bridge = await start({ intervalMs: 20 })
    const id = await submitSpecs(db, [specFor('')])
    const pending = await submitSpecs(db, [specFor('')])
    await signal(db)
    await vi.waitFor(async () =>
      expect(await db`select from evalhub.launch_queue where last_error like '%is not enabled%'`).toHaveLength(2),
    )

    await report(db, id, { status: 'running' })
    await report(db, id, { status: 'completed', metrics: { acc: 1 } })

    await runBecomes(db, pending, { state: 'failed', is_settled: true })
    expect(await storedRuns(db, id)).toMatchObject([{ state: 'completed' }])
    expect(bridge.errors).toEqual([])
  })
})

test('of what a job asks for and no process of one machine gets, its user is told', async ({ db, start }) => {
  await start({})
  const id = await submitSpecs(db, [specFor('true', { hardware_config: { cpu: { limit: '1' } } }), specFor('true')])
  await runBecomes(db, id, { state: 'failed', is_settled: true })
  const rows =
    await db`select warning_message ->> 'message' as message from evalhub.runs where evaluation_id = ${id} order by benchmark_index`
  expect(rows.map(({ message }) => message)).toEqual([expect.stringMatching(/^Not used on one machine.*: hardware_config\.$/), null])
})
