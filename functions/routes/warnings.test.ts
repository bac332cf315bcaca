import { describe, expect } from 'vitest'
import { event, JOB, test, type Answer } from '../test-app.ts'

type Run = { warning_message?: { message: string }; effective_parameters?: object }

const benchmark = (parameters: object) => ({ ...JOB, benchmarks: [{ ...JOB.benchmarks[0], parameters }] })
const pair = (...benchmarks: object[]) => ({ ...JOB, benchmarks: undefined, collection: { id: 'pair-v1', benchmarks } })
const override = (id: string, more: object) => ({ id, provider_id: 'frame', ...more })
const warningsIn = ({ body }: Pick<Answer, 'body'>) => body.status.benchmarks.map((run: Run) => run.warning_message?.message)
const parametersIn = ({ body }: Pick<Answer, 'body'>) => body.status.benchmarks.map((run: Run) => run.effective_parameters)

// Guarantee: what the published server takes and does otherwise, or not at all, is said and never passed over.
describe('a request that cannot be honoured as it is', () => {
  test('is told in the answer to it, in the job and in lists, whatever is reported since', async ({ call }) => {
    const submitted = await call('POST', '/jobs', benchmark({ num_examples: 'ten' }))
    const warning = { message: expect.stringMatching(/^num_examples is "ten"/), message_code: 'request_warning', message_origin: 'server' }
    expect(submitted).toMatchObject({ status: 202, body: { status: { benchmarks: [{ warning_message: warning }] } } })
    const { id } = submitted.body.resource
    const read = async () => [(await call('GET', `/jobs/${id}`)).body, (await call('GET', '/jobs')).body.items[0]]
    for (const job of await read()) expect(job.status.benchmarks[0].warning_message).toEqual(warning)

    const said = { message: 'The disk is slow.', message_code: 'slow', message_origin: 'adapter' }
    await call('POST', `/jobs/${id}/events`, event('running', { warning_message: said }))
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: 1 }, warning_message: said }))
    for (const job of await read()) {
      expect(job.status.benchmarks[0].warning_message).toEqual({
        ...warning,
        message: expect.stringMatching(/^num_examples is "ten".*\nThe disk is slow\.$/),
      })
    }
  })

  test('is told of each benchmark that an addition to a collection reaches without naming it', async ({ call }) => {
    const submitted = await call('POST', '/jobs', pair(override('second', { parameters: { num_examples: 2, shots: 9 } })))
    // The second has shots of its collection; the first has none, and gets the job's.
    expect(warningsIn(submitted)).toEqual([
      expect.stringMatching(/^num_examples and shots are given to second by the job, and so to every benchmark of this provider/),
      "shots is the collection's, and not the job's.",
    ])
    expect(warningsIn(await call('GET', `/jobs/${submitted.body.resource.id}`))).toEqual(warningsIn(submitted))
  })

  test('has no warning where nothing is otherwise', async ({ call }) => {
    const jobs = [JOB, benchmark({ num_examples: 2, other: 'x' }), pair(), pair(...['first', 'second'].map((id) => override(id, {})))]
    for (const job of jobs) {
      for (const warning of warningsIn(await call('POST', '/jobs', job))) expect(warning).toBeUndefined()
    }
  })
})

describe('effective_parameters', () => {
  test('are what each benchmark runs with, in the answer to the submit and in the job, and not in lists', async ({ call }) => {
    const submitted = await call('POST', '/jobs', pair(override('first', { parameters: { shots: 9, num_examples: 2.5 } })))
    const effective = [
      { shots: 9, num_examples: 2 },
      { shots: 2, num_examples: 2 },
    ]
    expect(parametersIn(submitted)).toEqual(effective)
    const { id } = submitted.body.resource
    expect(parametersIn(await call('GET', `/jobs/${id}`))).toEqual(effective)
    const [listed] = (await call('GET', '/jobs')).body.items
    expect(parametersIn({ body: listed })).toEqual([undefined, undefined])
    expect(parametersIn(await call('POST', '/jobs', JOB))).toEqual([{}])
  })

  // Guarantee: a short request makes no long answers.
  test('are left out of a job where they are long together', async ({ call }) => {
    const twice = (length: number) => pair(override('first', { parameters: { text: 'x'.repeat(length) } }))
    const short = await call('POST', '/jobs', twice(10_000))
    const long = await call('POST', '/jobs', twice(20_000))
    for (const [answer, expected] of [
      [short, { text: expect.any(String) }],
      [long, undefined],
    ] as const) {
      expect(parametersIn(answer)[0]).toEqual(expected)
      expect(parametersIn(await call('GET', `/jobs/${answer.body.resource.id}`))[0]).toEqual(expected)
    }
  })
})

describe('a list that is asked for what cannot be found', () => {
  test.for([
    ['/jobs?status=complted', [/^status is never 'complted'.* Is completed meant\?$/]],
    ['/jobs?status=pending,running', [/^status has one value/]],
    ['/jobs?experiment_id=7', [/^experiment_id finds nothing/]],
    ['/jobs?name=!a', [/^name is looked for with its '!'/]],
    ['/collections?sort_by=name', [/^sort_by changes nothing/]],
    ['/collections?category=a,b', [/^category has one value/]],
    ['/collections?tasks=!a', [/^tasks is looked for with its '!'/]],
    ['/providers?owner=a,b', [/^owner has one value/]],
  ] as const)('%s says so, and is answered', async ([path, warnings], { call }) => {
    const { status, body } = await call('GET', path)
    expect(status).toBe(200)
    expect(body.warnings).toEqual(warnings.map((text) => expect.stringMatching(text)))
  })

  test.for(['/jobs?status=pending&tags=a,b&owner=!a&experiment_id=!x', '/providers', '/collections?tasks=a,b&sort_by='])(
    '%s has no warnings',
    async (path, { call }) => {
      expect((await call('GET', path)).body).not.toHaveProperty('warnings')
    },
  )
})
