import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, vi } from 'vitest'
import { createOciAuth } from './oci-auth.ts'
import { registryUrl } from './oci-proxy.ts'
import { exchangeRaw } from './test-raw.ts'
import { registryIsMissing, startRegistry } from './test-registry.ts'
import { LIMITS, requestOf, test as base } from './test-sidecar.ts'
import { createTransport, type Transport } from './transport.ts'

const REPOSITORY = 'team/results'
const digestOf = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** `docker(host, account?)`: a Docker configuration; its path. */
const test = base.extend('docker', async ({ folder }) => async (host: string, account?: string) => {
  const authPath = join(folder, 'docker.json')
  const auths = account === undefined ? {} : { [host]: { auth: Buffer.from(account).toString('base64') } }
  await writeFile(authPath, JSON.stringify({ auths }))
  return authPath
})

/** Pushes one artifact as clients of registries do: a small blob whole, a large one as a stream, then the manifest. */
async function push(sidecar: URL): Promise<{ statuses: number[]; manifest: string }> {
  const [config, layer] = [Buffer.from('{"evaluation":"1"}'), Buffer.alloc(3_000_000, 'x')]
  const statuses: number[] = []
  const put = async (bytes: Buffer, send: (location: string) => Promise<Response>) => {
    statuses.push((await fetch(new URL(`/v2/${REPOSITORY}/blobs/${digestOf(bytes)}`, sidecar), { method: 'HEAD' })).status)
    const begun = await fetch(new URL(`/v2/${REPOSITORY}/blobs/uploads/`, sidecar), { method: 'POST' })
    const location = begun.headers.get('location') ?? ''
    if (begun.status === 202) expect(new URL(location, sidecar).origin).toBe(sidecar.origin)
    statuses.push(begun.status)
    if (begun.status === 202) statuses.push((await send(location)).status)
  }
  const withDigest = (location: string, bytes: Buffer) => `${new URL(location, sidecar).href}&digest=${digestOf(bytes)}`
  await put(config, (location) => fetch(withDigest(location, config), { method: 'PUT', body: config }))
  await put(layer, async (location) => {
    const body = Readable.toWeb(Readable.from([layer.subarray(0, 1_000_000), layer.subarray(1_000_000)]))
    const patched = await fetch(new URL(location, sidecar), { method: 'PATCH', body, duplex: 'half' } as RequestInit)
    statuses.push(patched.status)
    return fetch(withDigest(patched.headers.get('location') ?? '', layer), { method: 'PUT' })
  })
  const descriptor = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length })
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: [descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')],
  })
  const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json', authorization: 'Bearer of the adapter' }
  const stored = await fetch(new URL(`/v2/${REPOSITORY}/manifests/one`, sidecar), { method: 'PUT', body: manifest, headers })
  statuses.push(stored.status)
  if (stored.ok) expect(stored.headers.get('docker-content-digest')).toBe(digestOf(manifest))
  return { statuses, manifest }
}

const PUSHED = [404, 202, 201, 404, 202, 202, 201, 201]

const missing = registryIsMissing()
if (missing) console.log(`The OCI proxy is not tried on a real registry: ${missing}`)

describe.skipIf(missing)('a real registry', () => {
  test('takes a push without credentials if it asks for none', async ({ start, folder, onTestFinished }) => {
    const { host, stop } = await startRegistry(folder)
    onTestFinished(() => void stop())
    const { url, lines } = await start({ oci: { host: `http://${host}`, repository: REPOSITORY, authPath: join(folder, 'none') } })
    const { statuses, manifest } = await push(url)
    expect(statuses).toEqual(PUSHED)
    expect(lines.join()).toContain('No credentials')
    const accept = 'application/vnd.oci.image.manifest.v1+json'
    for (const at of [url.origin, `http://${host}`]) {
      expect(await (await fetch(`${at}/v2/${REPOSITORY}/manifests/one`, { headers: { accept } })).text()).toBe(manifest)
    }
  })

  test('takes a push with the credentials of the connection, new ones too, and none with others', async ({
    start,
    folder,
    docker,
    onTestFinished,
  }) => {
    const { host, stop } = await startRegistry(folder, { user: 'ann', password: 'secret:1' })
    onTestFinished(() => void stop())
    const authPath = await docker(host, 'ann:wrong')
    const { url } = await start({ oci: { host: `http://${host}`, repository: REPOSITORY, authPath } })
    const refused = await requestOf(url, `/v2/${REPOSITORY}/tags/list`)
    expect(refused).toMatchObject({ status: 401 })
    expect(refused.headers).not.toHaveProperty('www-authenticate')
    await docker(host, 'ann:secret:1')
    expect((await push(url)).statuses).toEqual(PUSHED)
  })
})

/** A registry that wants tokens. `tokens`: what was asked of its token service; a token is good for `uses` requests. */
function tokenRegistry({ seconds = 300, uses = 100 } = {}) {
  const tokens: { query: Record<string, string>; authorization: string | undefined }[] = []
  const served: [string | undefined, string | undefined, number][] = []
  let left = 0
  const listener: RequestListener = (request, response) => {
    const url = new URL(request.url ?? '', `http://${request.headers.host}`)
    const { authorization } = request.headers
    if (url.pathname === '/token') {
      tokens.push({ query: Object.fromEntries(url.searchParams), authorization })
      left = uses
      return response.end(JSON.stringify({ token: `t${tokens.length}`, expires_in: seconds }))
    }
    let bytes = 0
    request.on('data', (chunk: Buffer) => (bytes += chunk.length))
    request.on('end', () => {
      const isGood = authorization === `Bearer t${tokens.length}` && left-- > 0
      served.push([request.method, authorization, bytes])
      const challenge = `Bearer realm="${url.origin}/token",service="reg, one",scope="repository:${REPOSITORY}:pull"`
      if (!isGood) return response.writeHead(401, { 'www-authenticate': challenge }).end()
      return response.writeHead(202, { authorization: 'Bearer leaked', location: `https://${url.host}/v2/${REPOSITORY}/up?s=1` }).end()
    })
  }
  return { listener, tokens, served }
}

describe('a registry that wants tokens', () => {
  const PATH = `/v2/${REPOSITORY}/blobs/uploads/`

  test('gets one for pull and push, once for many requests', async ({ start, upstream, docker }) => {
    const registry = tokenRegistry()
    const { url } = await upstream(registry.listener)
    const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: await docker(url.host, 'ann:pw') } })
    const answers = await Promise.all(Array.from({ length: 5 }, () => requestOf(sidecar, PATH, { method: 'POST', body: '' })))
    for (const { status, headers } of answers) {
      expect([status, headers.location]).toEqual([202, `${sidecar.origin}/v2/${REPOSITORY}/up?s=1`])
      expect(headers).not.toHaveProperty('authorization')
    }
    expect(registry.tokens).toEqual([
      {
        query: { service: 'reg, one', scope: `repository:${REPOSITORY}:pull,push` },
        authorization: `Basic ${Buffer.from('ann:pw').toString('base64')}`,
      },
    ])
  })

  test('gets an anonymous one if there are no credentials', async ({ start, upstream, folder }) => {
    const registry = tokenRegistry()
    const { url } = await upstream(registry.listener)
    const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: join(folder, 'none') } })
    expect((await requestOf(sidecar, PATH)).status).toBe(202)
    expect(registry.tokens.map(({ authorization }) => authorization)).toEqual([undefined])
  })

  test('gets a new one when the old one has expired', async ({ start, upstream, docker }) => {
    const registry = tokenRegistry({ seconds: 1e-6 })
    const { url } = await upstream(registry.listener)
    const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: await docker(url.host, 'ann:pw') } })
    await requestOf(sidecar, PATH)
    expect((await requestOf(sidecar, PATH)).status).toBe(202)
    expect(registry.tokens).toHaveLength(2)
    expect(registry.served.map(([, authorization]) => authorization)).toEqual([undefined, 'Bearer t1', undefined, 'Bearer t2'])
  })

  test('that refuses a token gets a new one, once, and the request again', async ({ start, upstream, docker }) => {
    const registry = tokenRegistry({ uses: 1 })
    const { url } = await upstream(registry.listener)
    const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: await docker(url.host, 'ann:pw') } })
    for (let turn = 0; turn < 2; turn++) expect((await requestOf(sidecar, PATH, { method: 'PUT', body: 'body' })).status).toBe(202)
    expect(registry.tokens).toHaveLength(2)
    expect(registry.served.slice(1)).toEqual([
      ['PUT', 'Bearer t1', 4],
      ['PUT', 'Bearer t1', 4],
      ['PUT', 'Bearer t2', 4],
    ])
    const stubborn = tokenRegistry({ uses: 0 })
    const { url: other } = await upstream(stubborn.listener)
    const { url: refused } = await start({
      oci: { host: other.origin, repository: REPOSITORY, authPath: await docker(other.host, 'ann:pw') },
    })
    expect((await requestOf(refused, PATH)).status).toBe(401)
    expect(stubborn.tokens).toHaveLength(2)
  })

  test('a stream that it refuses is not sent twice: the answer goes back, and the next request has a new token', async ({
    start,
    upstream,
    docker,
  }) => {
    const registry = tokenRegistry({ uses: 1 })
    const { url } = await upstream(registry.listener)
    const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: await docker(url.host, 'ann:pw') } })
    const large = Buffer.alloc(1_000_000)
    const send = async () => (await requestOf(sidecar, PATH, { method: 'PUT', body: large })).status
    expect([await send(), await send(), await send()]).toEqual([202, 401, 202])
    expect(registry.tokens).toHaveLength(2)
  })

  test('a token service that refuses is named', async ({ start, upstream, docker }) => {
    const { url: service } = await upstream((_, response) => void response.writeHead(403).end())
    const { url } = await upstream(
      (_, response) => void response.writeHead(401, { 'www-authenticate': `Bearer realm="${service.href}"` }).end(),
    )
    const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: await docker(url.host, 'ann:pw') } })
    const answer = await requestOf(sidecar, PATH)
    expect(answer).toMatchObject({ status: 401, text: expect.stringContaining('answered 403 with the credentials of the connection') })
    expect(answer.text).not.toContain('pw')
  })

  test('a token that no header can carry is none', async ({ start, upstream, folder }) => {
    const { url: service } = await upstream((_, response) => void response.end(JSON.stringify({ token: 'a\r\nx-injected: 1' })))
    const { url } = await upstream(
      (_, response) => void response.writeHead(401, { 'www-authenticate': `Bearer realm="${service.href}"` }).end(),
    )
    const { url: sidecar, lines } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: join(folder, 'none') } })
    expect(await requestOf(sidecar, PATH)).toMatchObject({ status: 502, text: expect.stringContaining('token service') })
    expect(lines.join()).not.toContain('could not be served')
  })

  // Guarantee: credentials go over no connection that others can read.
  test.for([
    ['http://registry.example', 'https://tokens.example/', /in plain HTTP and wants credentials/],
    ['http://registry.example', 'http://tokens.example/', /in plain HTTP and wants credentials/],
    ['http://localhost:5000', 'http://tokens.example/', /names a token service in plain HTTP/],
    ['https://registry.example', 'http://127.0.0.1:9/', /names a token service that is no https URL/],
    ['https://registry.example', 'https://tokens.example/', undefined],
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5001/', undefined],
    ['http://[::1]:5000', 'https://tokens.example/', undefined],
  ] as const)('at %s with the token service %s: %s', async ([registry, realm, refusal], { upstream, docker }) => {
    const { url } = await upstream((request, response) => {
      if (request.url === '/v2/') response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}", Basic realm="x"` }).end()
      else response.end(JSON.stringify({ token: 'good' }))
    })
    const shown: string[] = []
    const reach = createTransport({ limits: LIMITS })
    const transport: Transport = (exchange) => {
      if (exchange.headers.includes('authorization')) shown.push(exchange.url.origin)
      return reach({ ...exchange, url })
    }
    const authPath = await docker(new URL(registry).host, 'ann:pw')
    const auth = createOciAuth({ registry: new URL(registry), repository: REPOSITORY, authPath, transport, now: () => 0 })
    if (refusal) await expect(auth.authorization()).rejects.toThrow(refusal)
    else expect(await auth.authorization()).toBe('Bearer good')
    expect(shown).toEqual(refusal ? [] : [new URL(realm).origin])
  })

  test('gets credentials in plain HTTP neither by Basic, and is asked without where none are wanted', async ({ upstream, docker }) => {
    let challenge = 'Basic realm="x"'
    const { url } = await upstream((_, response) =>
      challenge ? void response.writeHead(401, { 'www-authenticate': challenge }).end() : void response.end(),
    )
    const transport = createTransport({ limits: LIMITS })
    const registry = new URL('http://registry.example')
    const authPath = await docker(registry.host, 'ann:pw')
    const settings = { registry, repository: REPOSITORY, authPath, now: () => 0 }
    const auth = createOciAuth({ ...settings, transport: (exchange) => transport({ ...exchange, url }) })
    await expect(auth.authorization()).rejects.toThrow(/go over https only; write exports\.oci\.coordinates\.oci_host without http/)
    challenge = ''
    expect(await auth.authorization()).toBeUndefined()
  })

  afterEach(() => void vi.restoreAllMocks())

  // Guarantee: a registry cannot make the sidecar ask inner services, and credentials are for where the operator meant them to go.
  test.for([
    ['a metadata service', 'http://169.254.169.254/token', 403],
    ['a file', 'file:///etc/passwd', 502],
    ['what is no URL', 'nowhere', 502],
    ['a host of 800 letters', `https://${'%E6%A8%A1'.repeat(800)}/token`, 502],
  ] as const)('cannot name %s as its token service', async ([, realm, status], { start, upstream, docker }) => {
    const reads = [vi.spyOn(URL, 'parse'), vi.spyOn(URL, 'canParse')]
    const { url } = await upstream((_, response) => void response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end())
    const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: await docker(url.host, 'ann:pw') } })
    expect((await requestOf(sidecar, PATH)).status).toBe(status)
    // Time for letters of other alphabets grows with the square of their number.
    const lengths = reads.flatMap((read) => read.mock.calls.map(([text]) => String(text).length))
    expect(Math.max(0, ...lengths)).toBeLessThan(1000)
  })

  test('a redirect to a storage elsewhere is left to the adapter', async ({ start, upstream, docker }) => {
    const location = 'https://storage.example/blob?signed'
    const { url } = await upstream((_, response) => void response.writeHead(307, { location }).end())
    const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: await docker(url.host) } })
    expect((await requestOf(sidecar, PATH)).headers.location).toBe(location)
  })
})

// Guarantee: with the connection's credentials an adapter reads one repository.
test.for([
  ['?mount=sha256:a&from=team/private', 403],
  ['?from=team%2Fprivate&mount=sha256:a', 403],
  ['?%6dount=sha256:a&fr%6fm=team/private', 403],
  ['?mount=sha256:a&from=team/results&from=team/private', 403],
  ['?x=1;mount=sha256:a;from=team/private', 403],
  ['?mount=sha256:a', 403],
  ['?MOUNT=sha256:a&FROM=team/private', 403],
  ['?Mount=sha256:a&%46rom=team/private', 403],
  ['??mount=sha256:a&from=team/private', 403],
  ['?mount[]=sha256:a&from[]=team/private', 403],
  ['?mo%2575nt=sha256:a&fr%25256fm=team/private', 403],
  ['?mount=sha256:a&from=team/results&FROM=team/private', 403],
  ['?mount=sha256:a&from=team/results', 202],
  ['?digest=sha256:a&_state=mount', 202],
] as const)('a blob of another repository is not mounted: %s', async ([query, status], { start, upstream, folder }) => {
  const asked: (string | undefined)[] = []
  const { url } = await upstream((request, response) => {
    if (request.method === 'POST') asked.push(request.url)
    response.writeHead(202).end()
  })
  const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: join(folder, 'none') } })
  expect((await requestOf(sidecar, `/v2/${REPOSITORY}/blobs/uploads/${query}`, { method: 'POST', body: '' })).status).toBe(status)
  expect(asked).toHaveLength(status === 202 ? 1 : 0)
})

// Guarantee: what a registry reads in a body is no request of the adapter's.
test.for([
  ['application/x-www-form-urlencoded'],
  ['Application/X-WWW-Form-Urlencoded; charset=utf-8'],
  ['multipart/form-data; boundary=b'],
  ['application/octet-stream', 'application/x-www-form-urlencoded'],
])('no form mounts a blob: %j', async (types, { start, upstream, folder }) => {
  const seen: [string | undefined, string[]][] = []
  const { url } = await upstream((request, response) => {
    const given = request.rawHeaders.filter((_, at) => /^content.type$/i.test(request.rawHeaders[at - 1] ?? ''))
    if (request.url !== '/v2/') seen.push([request.method, given])
    response.writeHead(202).end()
  })
  const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: join(folder, 'none') } })
  const body = 'mount=sha256%3Aabc&from=team%2Fprivate'
  const send = (method: string, path: string) => {
    const heads = types.map((type) => `Content-Type: ${type}\r\nContent_Type: ${type}\r\n`).join('')
    const head = `${method} /v2/${REPOSITORY}/${path} HTTP/1.1\r\nHost: s\r\nConnection: close\r\nContent-Length: ${body.length}\r\n`
    return exchangeRaw(sidecar, `${head}${heads}\r\n${body}`)
  }
  for (const [method, path] of [
    ['POST', 'blobs/uploads/'],
    ['POST', 'blobs/uploads'],
    ['PATCH', 'blobs/uploads/1'],
    ['PUT', 'blobs/upload/1'],
  ] as const) {
    expect(await send(method, path)).toMatch(/^HTTP\/1\.1 202 /)
    expect(seen.pop()).toEqual([method, ['application/octet-stream']])
  }
  expect(await send('PUT', 'manifests/one')).toMatch(/^HTTP\/1\.1 403 /)
  expect(seen).toEqual([])
})

// Guarantee: an adapter pushes to and pulls from the run's repository, and the credentials do nothing else for it.
test.for([
  ['GET', '/v2/', true],
  ['GET', '/v2/team/results/tags/list?n=5&last=a', true],
  ['GET', '/v2/team/results/referrers/sha256:a?artifactType=x', true],
  ['HEAD', '/v2/team/results/manifests/one', true],
  ['GET', '/v2/team/results/blobs/sha256:a', true],
  ['DELETE', '/v2/team/results/blobs/uploads/1', true],
  ['POST', '/v2/', false],
  ['DELETE', '/v2/team/results/manifests/one', false],
  ['DELETE', '/v2/team/results/tags/one', false],
  ['DELETE', '/v2/team/results/blobs/sha256:a', false],
  ['POST', '/v2/team/results/manifests/one', false],
  ['OPTIONS', '/v2/team/results/manifests/one', false],
  ['GET', '/v2/team/results', false],
  ['GET', '/v2/team/results/private/manifests/one', false],
  ['GET', '/v2/team/results/blobs/uploads/1/manifests/one', false],
  ['GET', '/v2/team/results/manifests/manifests/one', false],
  ['GET', '/v2/team/results/_catalog', false],
  ['GET', '/v2/team/results/info/refs?service=git-upload-pack', false],
  ['GET', '/v2/team/results/%6Danifests/one', false],
  ['GET', '/repository/private/v2/team/results/manifests/one', false],
  ['GET', '/team/results/info/refs?service=git-upload-pack', false],
  ['GET', '/team/results', false],
] as const)('%s %s is asked: %s', async ([method, path, isAsked], { start, upstream, folder }) => {
  const asked: string[] = []
  const { url } = await upstream((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.end()
  })
  const { url: sidecar } = await start({ oci: { host: url.origin, repository: REPOSITORY, authPath: join(folder, 'none') } })
  const { status, text } = await requestOf(sidecar, path, { method })
  expect(status).toBe(isAsked ? 200 : 403)
  if (isAsked) expect(asked.at(-1)).toBe(`${method} ${path}`)
  else expect([asked, text]).toEqual([[], expect.stringContaining('repository team/results: it pushes')])
})

test('a Docker configuration that is none keeps the sidecar from starting', async ({ start, folder }) => {
  await writeFile(join(folder, 'docker.json'), '{"auths": "c2VjcmV0')
  await expect(start({ oci: { host: 'quay.io', repository: 'a/b', authPath: join(folder, 'docker.json') } })).rejects.toThrow(
    /no JSON with auths$/,
  )
})

test.for([
  ['quay.io', 'https://quay.io/'],
  ['https://Quay.io/', 'https://quay.io/'],
  ['http://localhost:5000', 'http://localhost:5000/'],
  ['docker.io', 'https://registry-1.docker.io/'],
] as const)('the registry %s is at %s', ([host, url]) => {
  expect(registryUrl(host).href).toBe(url)
})
