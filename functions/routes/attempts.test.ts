import { describe, expect } from 'vitest'
import { concludeAttempt } from '#db/commands/conclude-attempt.ts'
import { endRun } from '#db/commands/end-run.ts'
import { event, JOB, test } from '../test-app.ts'

const NOW = '2026-11-23T12:00:00Z'

describe('GET /jobs/:id/benchmarks/:index/attempts', () => {
  test('lists the tries of a run, with what ended each', async ({ call, db }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    const path = `/jobs/${id}/benchmarks/0/attempts`
    expect(await call('GET', path)).toMatchObject({ status: 200, body: { total_count: 0, items: [] } })

    await db`insert into evalhub.attempts (evaluation_id, benchmark_index, attempt, holder, launched_at, node, resources)
      values (${id}, 0, 1, 'b', '2026-11-23', 'node-1', '{"requests":{"cpu":"1"}}')`
    const launched = {
      attempt: 1,
      launched_at: expect.stringMatching(/^2026-11-23T/),
      node: 'node-1',
      resources: { requests: { cpu: '1' } },
    }
    expect((await call('GET', path)).body.items).toEqual([launched])

    const end = { evaluationId: id, benchmarkIndex: 0, isDisrupted: true }
    const evicted = { failureClass: 'evicted', message: 'The node had no memory left.', exitCode: 137 } as const
    await concludeAttempt(db, { ...end, ...evicted, attempt: 1 }, NOW)
    await endRun(db, { ...end, attempt: 2, failureClass: 'image_pull', message: 'There is no such image.' }, NOW)
    const { body } = await call('GET', path)
    expect(body).toEqual({
      total_count: 2,
      items: [
        {
          ...launched,
          ended_at: expect.any(String),
          failure_class: 'evicted',
          exit_code: 137,
          message: 'The node had no memory left.',
        },
        // It was given up before it was launched.
        { attempt: 2, ended_at: expect.any(String), failure_class: 'image_pull', message: 'There is no such image.' },
      ],
    })
  })

  test('refuses an index that is none, and does not find runs and jobs that are not there', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    await call('POST', `/jobs/${id}/events`, event('running'))
    const answers = [`/jobs/${id}/benchmarks/x/attempts`, `/jobs/${id}/benchmarks/1/attempts`, '/jobs/none/benchmarks/0/attempts']
    expect(await Promise.all(answers.map((path) => call('GET', path)))).toMatchObject([
      { status: 400, body: { message_code: 'query_parameter_invalid' } },
      { status: 404, body: { message: "The benchmark resource '1' was not found." } },
      { status: 404, body: { message: "The evaluation job resource 'none' was not found." } },
    ])
    expect(await call('GET', `/jobs/${id}/benchmarks/99999999999999999999/attempts`)).toMatchObject({ status: 404 })
  })
})
