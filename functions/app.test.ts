import { describe, expect } from 'vitest'
import { connect } from '#db/client.ts'
import { appWithout, test } from './test-app.ts'

describe('every route', () => {
  test('answers the request’s id, and makes one', async ({ call }) => {
    expect((await call('GET', '/jobs', undefined, { 'X-Global-Transaction-Id': 'abc' })).headers.get('x-global-transaction-id')).toBe('abc')
    expect((await call('GET', '/jobs')).headers.get('x-global-transaction-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  test.for([
    ['PUT', '/jobs'],
    ['POST', '/jobs/x'],
    ['GET', '/jobs/x/events'],
    ['POST', '/jobs/x/logs'],
    ['DELETE', '/providers'],
    ['POST', '/collections/x'],
    ['POST', '//api/v1/health'],
    ['HEAD', '/jobs'],
    ['HEAD', '//nowhere'],
  ] as const)('refuses %s %s with 405', async ([method, path], { call }) => {
    expect(await call(method, `${path}?a=1`)).toMatchObject({ status: 405 })
  })

  test('says in a 405 what was asked for', async ({ call }) => {
    expect((await call('PUT', '/jobs?a=1')).body).toMatchObject({
      message_code: 'method_not_allowed',
      message: 'The method PUT is not allowed for /api/v1/evaluations/jobs?a=1.',
    })
  })

  test.for(['//nowhere', '/jobs/', '//api/v1/evaluations/jobs/x/y/z'])('answers 404 as plain text at %s', async (path, { call }) => {
    const { status, text, headers } = await call('GET', path)
    expect([status, text, headers.get('content-type')]).toEqual([404, '404 page not found\n', 'text/plain; charset=utf-8'])
  })

  test.for([
    [{ Host: 'evil.example' }, 403],
    [{ Host: 'localhost.evil.example' }, 403],
    [{ Host: '127.0.0.1.evil.example:8080' }, 403],
    [{ Host: '192.168.1.2:8080' }, 403],
    [{ Origin: 'http://evil.example' }, 403],
    [{ Origin: 'null' }, 403],
    [{ Origin: 'http://localhost.evil.example' }, 403],
    [{ Host: 'localhost:8080' }, 200],
    [{ Host: '127.0.0.1:1' }, 200],
    [{ Host: '[::1]:8080' }, 200],
    [{ Origin: 'http://localhost:3000' }, 200],
  ] as const)('with %j answers %i', async ([headers, status], { call }) => {
    const answer = await call('GET', '/jobs', undefined, headers as Record<string, string>)
    expect(answer.status).toBe(status)
    if (status === 403) expect(answer.body.message_code).toBe('foreign_request')
  })

  test('tells a page of this machine that it may ask', async ({ call }) => {
    const { status, headers } = await call('OPTIONS', '//anywhere', undefined, { Origin: 'http://localhost:3000' })
    expect([status, headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    const answered = await call('GET', '/jobs', undefined, { Origin: 'http://localhost:3000' })
    expect(answered.headers.get('access-control-allow-origin')).toBe('*')
  })

  test('answers 503 and Retry-After, without detail, while the database is away', async () => {
    const db = connect('postgres://nobody:secret@127.0.0.1:1/none')
    const errors: string[] = []
    const app = appWithout(db, errors)
    const response = await app.request('http://localhost/api/v1/evaluations/jobs')
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('2')
    const text = await response.text()
    expect(JSON.parse(text)).toMatchObject({ message_code: 'unavailable', trace: 'id' })
    expect(text).not.toMatch(/secret|127\.0\.0\.1/)
    expect(errors).toHaveLength(1)
    expect((await app.request('http://localhost/api/v1/health')).status).toBe(200)
    await db.end({ timeout: 0 })
  })
})

describe('the documentation', () => {
  test('needs no other host: all that the page loads is served', async ({ call }) => {
    const page = await call('GET', '//docs')
    expect(page.text).not.toMatch(/https?:\/\//)
    const files = [...page.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file]) => file)
    expect(files.length).toBeGreaterThan(1)
    for (const file of files) expect({ file, ...(await call('GET', `//${file}`)) }).toMatchObject({ status: 200 })
    expect(await call('GET', '//docs/package.json')).toMatchObject({ status: 404 })
  })

  test('is YAML, or JSON for who asks for it', async ({ call }) => {
    const yaml = await call('GET', '//openapi.yaml')
    expect([yaml.headers.get('content-type'), yaml.text.slice(0, 8)]).toEqual(['application/yaml', 'openapi:'])
    const json = await call('GET', '//openapi.yaml', undefined, { Accept: 'application/json' })
    expect(JSON.parse(json.text)).toEqual(JSON.parse((await call('GET', '//openapi.json')).text))
  })
})
