import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { event, JOB, test, type Answer } from '../test-app.ts'

type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

const PAIR = { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } }

/** What brings a job of two runs into each state. */
const WAYS: Record<string, readonly object[]> = {
  pending: [],
  running: [event('running')],
  completed: [event('completed'), event('completed', {}, 'second', 1)],
  failed: [event('failed'), event('failed', {}, 'second', 1)],
  partially_failed: [event('failed'), event('completed', {}, 'second', 1)],
}

async function jobIn(call: Call, state: string): Promise<string> {
  const { id } = (await call('POST', '/jobs', PAIR)).body.resource
  for (const step of WAYS[state] ?? []) await call('POST', `/jobs/${id}/events`, step)
  if (state === 'cancelled') await call('DELETE', `/jobs/${id}`)
  expect((await call('GET', `/jobs/${id}`)).body.status.state).toBe(state)
  return id
}

// Source: sections 1.6, 1.7 and 3.4 of the contract. What a cancel and an event answer, and the state afterwards.
describe.each([
  ['pending', 204, 'cancelled', 204],
  ['running', 204, 'cancelled', 204],
  ['completed', 409, 'completed', 409],
  ['failed', 409, 'failed', 409],
  ['partially_failed', 409, 'partially_failed', 409],
  ['cancelled', 204, 'cancelled', 409],
] as const)('a %s job', (state, cancelled, after, reported) => {
  test(`answers ${cancelled} to a cancel`, async ({ call }) => {
    const id = await jobIn(call, state)
    const before = (await call('GET', `/jobs/${id}`)).body
    const answer = await call('DELETE', `/jobs/${id}`)
    expect(answer.status).toBe(cancelled)
    if (cancelled === 409) {
      expect(answer.body).toMatchObject({
        message_code: 'job_can_not_be_updated',
        message: `The job ${id} can not be cancelled because it is '${state}'.`,
      })
    }
    const { body } = await call('GET', `/jobs/${id}`)
    expect(body.status.state).toBe(after)
    if (state === after) expect(body).toEqual(before)
  })

  test(`answers ${reported} to an event`, async ({ call }) => {
    const id = await jobIn(call, state)
    const answer = await call('POST', `/jobs/${id}/events`, event('running', { phase: 'loading_data' }))
    expect(answer.status).toBe(reported)
    if (reported === 409) expect(answer.body.message).toBe(`The job ${id} can not be running because it is '${state}'.`)
  })

  test('is gone after a hard delete, with its logs and its place in the list', async ({ call }) => {
    const id = await jobIn(call, state)
    expect(await call('DELETE', `/jobs/${id}?hard_delete=True`)).toMatchObject({ status: 204, text: '' })
    for (const path of [`/jobs/${id}`, `/jobs/${id}/logs`, `/jobs/${id}/benchmarks/0/logs`]) {
      expect(await call('GET', path)).toMatchObject({ status: 404, body: { message_code: 'resource_not_found' } })
    }
    expect(await call('DELETE', `/jobs/${id}`)).toMatchObject({ status: 404 })
    expect((await call('GET', '/jobs')).body).toMatchObject({ total_count: 0, items: [] })
  })
})

describe('a cancel', () => {
  test('ends what had not ended, lists runs that never reported, and keeps results', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', PAIR)).body.resource
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: 0.5 } }))
    await call('DELETE', `/jobs/${id}`)
    const { status, results } = (await call('GET', `/jobs/${id}`)).body
    expect(status.benchmarks.map((run: { status: string }) => run.status)).toEqual(['completed', 'cancelled'])
    expect(status.benchmarks[1].error_message).toMatchObject({
      message: 'Evaluation job cancelled',
      message_code: 'evaluation_job_cancelled',
    })
    expect(results.benchmarks).toHaveLength(1)
    expect(results).not.toHaveProperty('test')
  })

  test('takes the runs out of the queue', async ({ call, db }) => {
    const id = await jobIn(call, 'cancelled')
    expect(await db`select from evalhub.launch_queue where evaluation_id = ${id}`).toHaveLength(0)
  })

  // Guarantee: a job ends once. Whoever is first decides; the other is told so.
  test('and the last event at once agree on one end', async ({ call, db }) => {
    for (let round = 0; round < 10; round++) {
      const id = await jobIn(call, 'running')
      await call('POST', `/jobs/${id}/events`, event('completed'))
      const [cancel, last] = await Promise.all([
        call('DELETE', `/jobs/${id}`),
        call('POST', `/jobs/${id}/events`, event('completed', {}, 'second', 1)),
      ])
      const { state } = (await call('GET', `/jobs/${id}`)).body.status
      expect([cancel.status, last.status, state]).toEqual(state === 'cancelled' ? [204, 409, 'cancelled'] : [409, 204, 'completed'])
      const ends = await db`select from evalhub.job_events
        where evaluation_id = ${id} and benchmark_index is null and state in ('completed', 'cancelled')`
      expect(ends).toHaveLength(1)
    }
  })
})

describe('counts by tenant and state', () => {
  const step = fc.record({
    job: fc.nat({ max: 3 }),
    act: fc.constantFrom('submit', 'running', 'completed', 'failed', 'cancel', 'delete'),
  })

  // Guarantee: the number of jobs that a list says is the number that there are, whatever happened.
  test('are those of the table after any operations', async ({ call, db, tenant }) => {
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const own = { 'X-Tenant': `${tenant}-${round++}` }
        const ids: string[] = []
        for (const { job, act } of steps) {
          const id = ids[job]
          if (act === 'submit' || id === undefined) ids.push((await call('POST', '/jobs', JOB, own)).body.resource.id)
          else if (act === 'cancel') await call('DELETE', `/jobs/${id}`, undefined, own)
          else if (act === 'delete') await call('DELETE', `/jobs/${id}?hard_delete=1`, undefined, own)
          else await call('POST', `/jobs/${id}/events`, event(act), own)
        }
        const rows = await db`
          select state, total, real from
            (select state, sum(total)::int as total from evalhub.evaluation_counts where tenant = ${own['X-Tenant']} group by state) as counted
            full join (select state, count(*)::int as real from evalhub.evaluations
              where tenant = ${own['X-Tenant']} and deleted_at is null group by state) as stored using (state)`
        for (const { state, total, real } of rows) expect({ state, total }).toEqual({ state, total: real ?? 0 })
        const listed = (await call('GET', '/jobs', undefined, own)).body
        expect(listed.total_count).toBe(listed.items.length)
      }),
      { numRuns: 20 },
    )
  })
})
