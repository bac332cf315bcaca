import { gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { connect } from '#db/client.ts'
import { appOn, callOn, event, JOB, test as base } from '../test-app.ts'
import { requestOf, TENANT_ROUTES, type Things } from '../test-routes.ts'

type Statement = { connection: number; text: string; parameters: unknown[] }

const test = base
  /** Every statement that the app has sent since the file began. */
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('sent', { scope: 'file' }, async ({}): Promise<Statement[]> => [])
  .extend('watched', { scope: 'file' }, async ({ databaseUrl, sent }, { onCleanup }) => {
    const db = connect(databaseUrl)
    onCleanup(() => db.end())
    const app = await appOn(db, { mode: 'headers', runTokenKey: 'the key of run tokens in these tests', reporters: ['reporter'] })
    // The driver reads the option with each statement.
    db.options.debug = (connection, text, parameters) => sent.push({ connection, text: text.replace(/\s+/g, ' ').trim(), parameters })
    return app
  })

/** Knows nothing of jobs: it begins or ends a transaction, or wakes the bridge. */
const SAYS_NOTHING = /^(begin|commit|rollback)\b|^select pg_notify\(/i

/**
 * The statements that neither name the tenant nor go on, in their transaction, with what a statement before them has found for the tenant.
 */
function unfiltered(statements: readonly Statement[], tenant: string): Statement[] {
  const found = new Map<number, Set<string>>()
  return statements.filter(({ connection, text, parameters }) => {
    if (/^begin\b/i.test(text)) found.set(connection, new Set())
    if (/^(commit|rollback)\b/i.test(text)) found.delete(connection)
    if (SAYS_NOTHING.test(text)) return false
    const ids = parameters.flatMap(idsIn).filter((id) => id !== tenant)
    if (/\btenant\b/.test(text) && JSON.stringify(parameters).includes(tenant)) {
      for (const id of ids) found.get(connection)?.add(id)
      return false
    }
    return !ids.some((id) => found.get(connection)?.has(id))
  })
}

/** What a parameter says that a statement is about: itself, or the jobs that the rows of a JSON parameter name. */
function idsIn(parameter: unknown): string[] {
  if (typeof parameter !== 'string') return []
  if (!parameter.startsWith('[')) return [parameter]
  return (JSON.parse(parameter) as { id?: string; evaluation_id?: string }[]).flatMap((row) => row.evaluation_id ?? row.id ?? [])
}

const MORE_REQUESTS: [method: string, path: string, body?: unknown, headers?: Record<string, string>][] = [
  ['GET', '/jobs?name=a&tags=b,c&owner=!ann&status=pending%7Crunning&experiment_id=x&limit=1&offset=1'],
  ['GET', '/providers?name=a&tags=b&owner=ann&benchmarks=false'],
  ['GET', '/collections?scope=tenant&category=general'],
  ['POST', '/jobs', { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } }, { 'Idempotency-Key': 'a' }],
  ['POST', '/jobs', { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } }, { 'Idempotency-Key': 'a' }],
  ['POST', '/providers', { name: 'p', benchmarks: [{ id: 'b', name: 'B' }] }, { 'Idempotency-Key': 'b' }],
  ['POST', '/providers', { name: 'p', benchmarks: [{ id: 'b', name: 'B' }] }, { 'Idempotency-Key': 'b' }],
  ['POST', '/jobs', { ...JOB, benchmarks: [{ id: 'b', provider_id: crypto.randomUUID() }] }],
  ['PUT', '/providers/frame', { name: 'p' }],
  ['DELETE', '/collections/pair-v1'],
]

describe('where there are identities', () => {
  test('every statement of every route is filtered by tenant', async ({ watched, sent, db, tenant }) => {
    const caller = { 'X-Tenant': tenant, 'X-User': 'reporter' }
    const call = callOn(watched, caller)
    const statementsOf = async (...request: Parameters<typeof call>) => {
      const from = sent.length
      const { status } = await call(...request)
      expect(status).toBeLessThan(500)
      return sent.slice(from)
    }
    const create = async (noun: keyof Things): Promise<string> => {
      const { route } = TENANT_ROUTES.find(({ name }) => name === `POST /api/v1/evaluations/${noun}`)!
      const { method, path, body } = requestOf(route, {})
      return (await call(method, path, body)).body.resource.id
    }

    for (const { name, route } of TENANT_ROUTES) {
      const things: Things = { jobs: await create('jobs'), providers: await create('providers'), collections: await create('collections') }
      await db`insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
        values (${things.jobs}, 0, 1, 'local', 0, ${gzipSync('line')}, 4, now(), now())`
      const { method, path, body } = requestOf(route, things)
      const statements = await statementsOf(method, path, body)
      expect(statements.length, `${name} asks the database`).toBeGreaterThan(0)
      expect({ name, offences: unfiltered(statements, tenant) }).toEqual({ name, offences: [] })
    }
    const job = await create('jobs')
    const events = ['running', 'running', 'completed'].map((status) => ['POST', `/jobs/${job}/events`, event(status)] as const)
    const other = await create('jobs')
    const ends = [`/jobs/${other}`, `/jobs/${other}`, `/jobs/${other}?hard_delete=true`].map((path) => ['DELETE', path] as const)
    for (const [method, path, body, headers] of [...MORE_REQUESTS, ...events, ...ends] as typeof MORE_REQUESTS) {
      const statements = await statementsOf(method, path, body, headers)
      expect({ method, path, offences: unfiltered(statements, tenant) }).toEqual({ method, path, offences: [] })
    }
  })

  // Guarantee: who asks for another tenant's job cannot even make its owner wait.
  test('another tenant’s rows are not locked, whatever is asked for', async ({ watched, call, db, tenant }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    const stranger = callOn(watched, { 'X-Tenant': 'another', 'X-User': 'reporter' })
    await db.begin(async (tx) => {
      await tx`select from evalhub.evaluations where id = ${id} for update`
      await tx`select from evalhub.runs where evaluation_id = ${id} for update`
      // Each would wait for this transaction, and this transaction for them.
      expect((await stranger('DELETE', `/jobs/${id}`)).status).toBe(404)
      expect((await stranger('DELETE', `/jobs/${id}?hard_delete=true`)).status).toBe(404)
      expect((await stranger('POST', `/jobs/${id}/events`, event('completed'))).status).toBe(404)
    })
    expect((await call('GET', `/jobs/${id}`)).body.resource.tenant).toBe(tenant)
  })
})

describe('the rule', () => {
  const begin = { connection: 1, text: 'begin', parameters: [] }
  const lock = { connection: 1, text: 'select from jobs where id = $1 and tenant = $2 for update', parameters: ['id', 'red'] }
  const write = { connection: 1, text: 'update runs set state = $1 where evaluation_id = $2', parameters: ['failed', 'id'] }
  const end = { connection: 1, text: 'commit', parameters: [] }
  test.for([
    ['a statement without a tenant', [write], 1],
    ['one that names another tenant', [{ ...lock, parameters: ['id', 'blue'] }], 1],
    ['one that has the name for something else', [{ ...write, parameters: ['red', 'id'] }], 1],
    ['one on what another connection has locked', [begin, lock, { ...write, connection: 2 }], 1],
    ['one after the transaction', [begin, lock, end, write], 1],
    ['one on something else than was locked', [begin, lock, { ...write, parameters: ['failed', 'other'] }], 1],
    ['one after a lock without a transaction', [lock, write], 1],
    ['none in what is right', [begin, lock, write, end], 0],
  ] as const)('sees %s', ([, statements, offences]) => {
    expect(unfiltered(statements as unknown as Statement[], 'red')).toHaveLength(offences)
  })
})
