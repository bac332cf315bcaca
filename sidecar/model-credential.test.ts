import { mkdir, symlink, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { exchangeRaw, rawUpstream, valuesOf } from './test-raw.ts'
import { test as base } from './test-sidecar.ts'

const SECRETS = /real-key|judge-key|judge-token|gate-key/

/**
 * `services`: a sidecar whose model and judge are servers of their own; `gate` is a service of the Secret with the model's own origin, and
 * `lone` one without a URL. `ask(...headers)`: one request; what it was answered.
 */
const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('raw', async ({}, { onCleanup }) => {
    const open: { close: () => void }[] = []
    onCleanup(() => open.forEach(({ close }) => close()))
    return async () => {
      const upstream = await rawUpstream()
      open.push(upstream)
      return upstream
    }
  })
  .extend('services', async ({ start, raw, folder }) => {
    const [model, judge] = [await raw(), await raw()]
    const secretPath = join(folder, 'secret')
    await mkdir(secretPath)
    const files = {
      'api-key': 'real-key',
      'judge_api-key': 'judge-key',
      judge_sa_token: 'judge-token',
      judge_url: `HTTP://127.1:${judge.url.port}/`,
      'gate_api-key': 'gate-key',
      gate_url: `http://0x7f.0.0.1:${model.url.port}/other/path`,
      'lone_api-key': 'lone-key',
    }
    for (const [name, value] of Object.entries(files)) await writeFile(join(secretPath, name), value)
    const { url } = await start({ model: { url: model.url, secretPath } })
    const send = (target: string, headers: readonly string[], body = '') =>
      exchangeRaw(
        url,
        [`POST ${target} HTTP/1.1`, 'Host: a', `Content-Length: ${body.length}`, 'Connection: close', ...headers, '', body].join('\r\n'),
      )
    return { model, judge, secretPath, url, send, ask: (...headers: string[]) => send('/v1/chat', headers) }
  })

describe('references to credentials of different services in one request', () => {
  test.for([
    [['Authorization: Bearer judge_api-key:ref', 'api-key: api-key:ref']],
    [['Authorization: Bearer api-key:ref', 'api-key: judge_api-key:ref']],
    [['x-api-key: api-key:ref', 'api-key: judge_api-key:ref']],
    [['X-API-Key: judge_sa_token:ref', 'AUTHORIZATION: bearer api-key:ref']],
    [['Authorization: Bearer gate_api-key:ref', 'x-api-key: judge_api-key:ref', 'api-key: api-key:ref']],
    [['Authorization: Bearer lone_api-key:ref', 'x-api-key: judge_api-key:ref']],
    [['Connection: authorization', 'Authorization: Bearer judge_api-key:ref', 'api-key: api-key:ref']],
  ] as const)('%j is refused, with the reason, and nobody is asked', async ([headers], { services: { ask, model, judge } }) => {
    const answered = await ask(...headers)
    expect(answered).toMatch(/^HTTP\/1\.1 400 [^]*"message_code":"request_validation_failed"[^]*belong to different services/)
    expect(answered).not.toMatch(SECRETS)
    expect([...model.requests, ...judge.requests]).toEqual([])
  })

  test.for([
    [['Authorization: Bearer api-key:ref', 'Authorization: Bearer judge_api-key:ref']],
    [['api-key: judge_api-key:ref', 'API-KEY: own']],
    [['x-api-key: own', 'X-Api-Key: api-key:ref']],
  ] as const)('%j: one header with two values is refused too', async ([headers], { services: { ask, model, judge } }) => {
    expect(await ask(...headers)).toMatch(/^HTTP\/1\.1 400 [^]*more than once/)
    expect([...model.requests, ...judge.requests]).toEqual([])
  })

  test('of one service, or of services at one address, go together', async ({ services: { ask, model, judge } }) => {
    await ask('Authorization: Bearer judge_sa_token:ref', 'x-api-key: judge_api-key:ref', 'api-key: own')
    await ask('Authorization: Bearer gate_api-key:ref', 'x-api-key: api-key:ref', 'api-key: lone_api-key:ref')
    const shown = ({ requests }: typeof model) =>
      requests.map((request) => ['authorization', 'x-api-key', 'api-key'].flatMap((name) => valuesOf(request, name)))
    expect(shown(judge)).toEqual([['Bearer judge-token', 'judge-key', 'own']])
    expect(shown(model)).toEqual([['Bearer gate-key', 'real-key', 'lone-key']])
  })
})

// Guarantee: a value of the Secret stands in the one header of the one request that refers to it, and goes to the one address that is its own.
describe('a reference', () => {
  test.for([
    ['in a query', '/v1/x?api-key=api-key:ref&key=judge_api-key%3Aref', []],
    ['in a path', '/v1/api-key:ref/judge_api-key:ref', []],
    ['in a cookie', '/v1/x', ['Cookie: api-key=api-key:ref; judge_api-key:ref']],
    ['in another header', '/v1/x', ['X-Goog-Api-Key: api-key:ref', 'Ocp-Apim-Subscription-Key: judge_api-key:ref']],
    ['with another scheme', '/v1/x', ['Authorization: Basic api-key:ref']],
    ['behind something else', '/v1/x', ['Authorization: Bearer own api-key:ref']],
    ['in a header that is spelt otherwise', '/v1/x', ['Api_Key: judge_api-key:ref', 'X_API_KEY: api-key:ref']],
    ['in quotes', '/v1/x', ['Authorization: Bearer "api-key:ref"x']],
  ] as const)('%s is text like any other', async ([, target, headers], { services: { send, model, judge } }) => {
    expect(await send(target, headers, '{"key":"api-key:ref","judge":"judge_api-key:ref"}')).toMatch(/^HTTP\/1\.1 200 /)
    expect(JSON.stringify(model.requests)).toContain(':ref')
    expect(JSON.stringify(model.requests)).not.toMatch(SECRETS)
    expect(judge.requests).toEqual([])
  })

  test.for([
    ['Bearer API-KEY:ref', 'names no credential'],
    ['Bearer Judge_Api-Key:ref', 'names no credential'],
    ['Bearer JUDGE_api-key:ref', 'has no value'],
    ['Bearer judge_api-key:ref:ref', 'names no credential'],
    ['Bearer api-key:ref,judge_api-key:ref', 'names no credential'],
    ['Bearer judge%5fapi-key:ref', 'names no credential'],
    ['Bearer judge_url:ref', 'names no credential'],
    ['Bearer _api-key:ref', 'names no credential'],
    [`Bearer ${'x'.repeat(250)}_api-key:ref`, 'names no credential'],
    ['Bearer .._api-key:ref', 'has no value'],
  ] as const)('%s is refused: %s', async ([authorization, why], { services: { ask, model, judge } }) => {
    const answered = await ask(`Authorization: ${authorization}`)
    expect(answered).toMatch(/^HTTP\/1\.1 400 /)
    expect(answered).toContain(why)
    expect([...model.requests, ...judge.requests]).toEqual([])
  })

  test('whose address cannot be read goes nowhere, not to the model', async ({ services: { ask, secretPath, model, judge } }) => {
    // The link leads to itself: there is such a key, and it cannot be read.
    await symlink('gone_url', join(secretPath, 'new_url'))
    await symlink('new_url', join(secretPath, 'gone_url'))
    await writeFile(join(secretPath, 'gone_api-key'), 'real-key')
    expect(await ask('Authorization: Bearer gone_api-key:ref')).toMatch(/^HTTP\/1\.1 500 /)
    expect([...model.requests, ...judge.requests]).toEqual([])
  })

  test.for(['http:127.0.0.1', 'http:///127.0.0.1', 'http:\\\\127.0.0.1'])('whose address is %s goes nowhere', async (url, { services }) => {
    const { ask, secretPath, model, judge } = services
    await writeFile(join(secretPath, 'odd_url'), `${url}:${judge.url.port}`)
    await writeFile(join(secretPath, 'odd_api-key'), 'real-key')
    expect(await ask('Authorization: Bearer odd_api-key:ref')).toMatch(/^HTTP\/1\.1 400 .*http or https URL with a host/s)
    expect([...model.requests, ...judge.requests]).toEqual([])
  })
})

// Guarantee: Kubernetes replaces all files of a Secret at once; a value and an address of different versions never meet.
test('while the Secret is replaced, a value goes only to the address that it was written with', async ({ start, raw, folder }) => {
  const [model, old, next] = [await raw(), await raw(), await raw()]
  const secretPath = join(folder, 'secret')
  const write = async (version: string, url: URL) => {
    await mkdir(join(secretPath, version), { recursive: true })
    await writeFile(join(secretPath, version, 'judge_api-key'), `key-of-${version}`)
    await writeFile(join(secretPath, version, 'judge_url'), url.href)
  }
  await write('old', old.url)
  await write('next', next.url)
  const point = async (version: string) => {
    await symlink(version, join(secretPath, '..data_tmp'))
    await rename(join(secretPath, '..data_tmp'), join(secretPath, '..data'))
  }
  await point('old')
  for (const name of ['judge_api-key', 'judge_url']) await symlink(`..data/${name}`, join(secretPath, name))
  const { url } = await start({ model: { url: model.url, secretPath } })
  const head = 'POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\nAuthorization: Bearer judge_api-key:ref\r\n\r\n'
  for (let turn = 0; turn < 200; turn++)
    await Promise.all([exchangeRaw(url, head), exchangeRaw(url, head), point(turn % 2 ? 'old' : 'next')])
  const keysOf = ({ requests }: typeof old) => new Set(requests.flatMap((request) => valuesOf(request, 'authorization')))
  expect(keysOf(old)).toEqual(new Set(['Bearer key-of-old']))
  expect(keysOf(next)).toEqual(new Set(['Bearer key-of-next']))
  expect(model.requests).toEqual([])
})
