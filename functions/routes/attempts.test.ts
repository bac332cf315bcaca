import { describe, expect } from 'vitest'
import { endRun } from '#db/commands/end-run.ts'
import { retryRun } from '#db/commands/retry-run.ts'
import { event, JOB, test } from '../test-app.ts'

describe('GET /jobs/:id/benchmarks/:index/attempts', () => {
  test('lists the tries of a run, with what ended each', async ({ call, db }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    const path = `/jobs/${id}/benchmarks/0/attempts`
    expect(await call('GET', path)).toMatchObject({ status: 200, body: { total_count: 0, items: [] } })

    await db`insert into evalhub.attempts (evaluation_id, benchmark_index, attempt, holder, launched_at) values (${id}, 0, 1, 'b', '2026-11-23')`
    expect((await call('GET', path)).body.items).toEqual([{ attempt: 1, launched_at: expect.stringMatching(/^2026-11-23T/) }])

    const failure = { evaluationId: id, benchmarkIndex: 0, failureClass: 'evicted', message: 'The node had no memory left.', exitCode: 137 }
    await retryRun(db, { ...failure, attempt: 1 })
    const { exitCode: _, ...never } = failure
    await endRun(db, { ...never, attempt: 2, failureClass: 'image_pull', message: 'There is no such image.' }, '2026-11-23T12:00:00Z')
    const { body } = await call('GET', path)
    expect(body).toEqual({
      total_count: 2,
      items: [
        {
          attempt: 1,
          launched_at: expect.stringMatching(/^2026-11-23T/),
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
