import { describe, expect, onTestFinished, vi } from 'vitest'
import { connect } from '#db/client.ts'
import { withDatabase } from '#db/database-url.ts'
import { BRIDGE_CHANNEL } from '#db/store.ts'
import { test as onRunsServer } from '#db/test-db.ts'
import { migrateToOlder } from '#db/test-older-schema.ts'
import { AUDIENCE, newKey, startIssuer } from '#functions/identity/test-issuer.ts'
import { callOn, JOB } from '#functions/test-app.ts'
import { syncTestCatalogue } from '#functions/test-catalogue.ts'
import { startWorker } from '#local/worker-server.ts'
import { describeApi } from './describe-api.ts'
import { apiOf, overHttp } from './served.ts'

const RUN_TOKEN_KEY = 'the key of run tokens in these tests'

const onWorkerd = apiOf(onRunsServer, (databaseUrl) => startWorker({ databaseUrl, port: 0, onLog: () => undefined }))

/** Another Worker, for one test. */
async function startOther(databaseUrl: string, vars: Record<string, string> = {}, onLog: (line: string) => void = () => undefined) {
  const { url, stop } = await startWorker({ databaseUrl, port: 0, vars, onLog })
  onTestFinished(stop)
  return url
}

describe('the API on workerd', () => {
  describeApi(onWorkerd)
})

describe('the Worker', () => {
  onWorkerd('tells the bridge of a job', async ({ call, databaseUrl }) => {
    let told = 0
    const bridge = connect(databaseUrl, { max: 1 })
    await bridge.listen(BRIDGE_CHANNEL, () => void told++)
    await call('POST', '/jobs', JOB)
    await vi.waitFor(() => expect(told).toBeGreaterThan(0))
    await bridge.end()
  })

  // Guarantee: one request, one connection, which ends with it. Nothing is kept that another request could not use.
  onWorkerd('leaves no connection behind', async ({ call, databaseUrl }) => {
    const watcher = connect(databaseUrl, { max: 1 })
    const count = async () => {
      const [row] = await watcher<{ count: number }[]>`
        select count(*) from pg_stat_activity where datname = current_database() and backend_type = 'client backend'`
      return row?.count
    }
    await vi.waitFor(async () => expect(await count()).toBeLessThanOrEqual(8))
    const before = await count()
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, at) => call(at % 2 ? 'POST' : 'GET', '/jobs', at % 2 ? JOB : undefined)),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 202]))
    await vi.waitFor(async () => expect(await count()).toBeLessThanOrEqual(before ?? 0))
    await watcher.end()
  })

  onWorkerd('is not ready on an older schema, and says what to run instead of an error', async ({ db, databaseUrl, tenant }) => {
    await db`create database ${db(tenant)}`
    onTestFinished(async () => void (await db`drop database ${db(tenant)} with (force)`))
    const older = connect(withDatabase(databaseUrl, tenant), { max: 1 })
    await migrateToOlder(older, 5)
    await older.end()
    const call = callOn(overHttp(await startOther(withDatabase(databaseUrl, tenant))), {})
    for (const path of ['//readyz', '/jobs']) {
      const answer = await call('GET', path)
      expect(answer).toMatchObject({ status: 503, body: { message_code: 'database_not_migrated' } })
      expect(answer.body.message).toContain('npm run migrate')
    }
  })

  onWorkerd('answers 503 and Retry-After, without detail, while the database is away', async () => {
    const lines: string[] = []
    const url = await startOther('postgres://nobody:secret@127.0.0.1:1/none', {}, (line) => lines.push(line))
    const call = callOn(overHttp(url), {})
    const answer = await call('GET', '/jobs')
    expect(answer).toMatchObject({ status: 503, body: { message_code: 'unavailable' } })
    expect(answer.headers.get('retry-after')).toBe('2')
    expect(answer.text).not.toMatch(/secret|127\.0\.0\.1/)
    expect(await call('GET', '//api/v1/health')).toMatchObject({ status: 200 })
    // What the runtime itself says is no JSON.
    const logged = () => lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
    const line = { level: 'error', trace: answer.body.trace, path: '/api/v1/evaluations/jobs' }
    await vi.waitFor(() => expect(logged()).toMatchObject([line]))
    expect(lines.join('')).not.toContain('secret')
  })

  onWorkerd('asks the issuer for its keys once for all requests', async ({ db, databaseUrl }) => {
    await syncTestCatalogue(db)
    const issuer = await startIssuer()
    const key = await newKey('ES256', 'first')
    issuer.publish(key)
    const vars = { IDENTITY_MODE: 'oidc', RUN_TOKEN_KEY, OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: AUDIENCE }
    const url = await startOther(databaseUrl, vars)
    const now = Math.floor(Date.now() / 1000)
    const token = await issuer.sign(key, { iat: now, exp: now + 300 })
    const call = callOn(overHttp(url), { Authorization: `Bearer ${token}` })
    expect(await call('POST', '/jobs', JOB)).toMatchObject({ status: 202, body: { resource: { tenant: 'red', owner: 'ann' } } })
    const answers = await Promise.all(Array.from({ length: 10 }, () => call('GET', '/jobs')))
    expect(answers.map(({ status, body }) => [status, body.total_count])).toEqual(answers.map(() => [200, 1]))
    expect(issuer.fetched()).toBe(1)
    expect(await callOn(overHttp(url), {})('GET', '/jobs')).toMatchObject({ status: 401 })
    await issuer.close()
  })

  onWorkerd('says what it lacks, and answers nobody until it has it', async ({ databaseUrl }) => {
    const url = await startOther(databaseUrl, { IDENTITY_MODE: 'oidc' })
    const response = await fetch(`${url}/api/v1/evaluations/jobs`, { headers: { 'X-Tenant': 'red', 'X-User': 'ann' } })
    expect(response.status).toBe(500)
    expect(await response.text()).toContain('RUN_TOKEN_KEY')
  })
})
