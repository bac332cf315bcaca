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
      message: 'The HTTP method PUT is not allowed for the API /api/v1/evaluations/jobs?a=1.',
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
    // Of the hub's own pages, and of no other server of this machine.
    [{ Origin: 'http://localhost:3000' }, 403],
    [{ Origin: 'http://localhost' }, 200],
    [{ Origin: 'https://localhost' }, 403],
    [{ Origin: 'http://127.0.0.1' }, 403],
    [{ Origin: '' }, 403],
    [{ Origin: 'http://localhost, http://evil.example' }, 403],
    [{ Host: 'localhost:8080', Origin: 'http://localhost:8080' }, 200],
    [{ Host: 'localhost:8080', Origin: 'http://localhost' }, 403],
    [{ Host: '127.0.0.1:8080', Origin: 'http://localhost:8080' }, 403],
    [{ Host: '[::1]:8080', Origin: 'http://[::1]:8080' }, 200],
    // What a browser says of who has caused the request, also where it sends no Origin.
    [{ 'Sec-Fetch-Site': 'cross-site' }, 403],
    [{ 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' }, 403],
    [{ 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }, 403],
    [{ 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors' }, 403],
    [{ 'Sec-Fetch-Site': 'whatever' }, 403],
    [{ 'Sec-Fetch-Site': 'same-origin, cross-site' }, 403],
    [{ 'Sec-Fetch-Site': 'same-origin' }, 200],
    [{ 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }, 200],
  ] as const)('with %j answers %i', async ([headers, status], { call }) => {
    const answer = await call('GET', '/jobs', undefined, headers as Record<string, string>)
    expect(answer.status).toBe(status)
    if (status === 403) expect(answer.body.message_code).toBe('foreign_request')
  })

  // Guarantee: a sidecar that is told that the hub is its model gets nothing of it, at whatever address.
  test.for(['1.1 evalhub-sidecar', '1.0 a, 1.1 evalhub-sidecar, 2 b (c)'])('refuses what came by way of %j', async (via, { call }) => {
    for (const path of ['/jobs', '//openapi.json', '//healthz', '//nowhere']) {
      const answer = await call('GET', path, undefined, { Via: via })
      expect([answer.status, answer.body.message_code]).toEqual([403, 'foreign_request'])
    }
    expect((await call('GET', '/jobs', undefined, { Via: '1.1 proxy' })).status).toBe(200)
  })

  test('lets no page of another origin read it', async ({ call }) => {
    for (const Origin of ['http://localhost', 'http://localhost:3000']) {
      for (const method of ['OPTIONS', 'GET']) {
        const { headers } = await call(method, '/jobs', undefined, { Origin })
        expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      }
    }
    expect((await call('OPTIONS', '//anywhere')).status).toBe(204)
  })

  const LINK = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }
  test.for([
    ['GET', '//', LINK, 200],
    ['GET', '//docs', LINK, 200],
    ['GET', '//openapi.json', LINK, 200],
    ['GET', '//openapi.yaml', { ...LINK, 'Sec-Fetch-Site': 'same-site' }, 200],
    ['GET', '//docs', { ...LINK, 'Sec-Fetch-Dest': 'iframe' }, 403],
    ['GET', '//docs', { ...LINK, 'Sec-Fetch-Mode': 'no-cors' }, 403],
    ['GET', '//docs', { ...LINK, Origin: 'http://evil.example' }, 403],
    ['GET', '//docs/swagger-ui.css', LINK, 403],
    ['GET', '//healthz', LINK, 403],
    ['GET', '//nowhere', LINK, 403],
    ['POST', '//docs', LINK, 403],
    ['OPTIONS', '/jobs', LINK, 403],
  ] as const)(
    'a link of another page leads to what is for readers only: %s %s with %j answers %i',
    async ([method, path, headers, status], { call }) => {
      expect(await call(method, path, undefined, headers)).toMatchObject({ status })
    },
  )

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

  test('runs what this hub serves as a script and nothing else, and is shown in no frame', async ({ call }) => {
    const { text, headers } = await call('GET', '//docs')
    const files = [...text.matchAll(/src="([^"]+)"/g)].map(([, file]) => `//${file}`)
    for (const path of ['//docs', '//openapi.json', '//openapi.yaml', '//docs/swagger-ui.css', ...files]) {
      const policy = (await call('GET', path)).headers.get('content-security-policy')
      expect(policy?.split('; ')).toEqual([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ])
    }
    // What the policy forbids is not tried.
    expect(text).not.toMatch(/<script(?! src=")|<style| on\w+=| style=|javascript:/)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
  })

  test('is YAML, or JSON for who asks for it', async ({ call }) => {
    const yaml = await call('GET', '//openapi.yaml')
    expect([yaml.headers.get('content-type'), yaml.text.slice(0, 8)]).toEqual(['application/yaml', 'openapi:'])
    const json = await call('GET', '//openapi.yaml', undefined, { Accept: 'application/json' })
    expect(JSON.parse(json.text)).toEqual(JSON.parse((await call('GET', '//openapi.json')).text))
  })
})
