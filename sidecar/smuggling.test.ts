import { writeFile } from 'node:fs/promises'
import { METHODS } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, vi } from 'vitest'
import { exchangeRaw, rawUpstream, valuesOf, type RawRequest } from './test-raw.ts'
import { test as base } from './test-sidecar.ts'

const REPOSITORY = 'team/results'
const PATHS = { model: '/v1/chat', mlflow: '/api/2.0/mlflow/runs/create', oci: `/v2/${REPOSITORY}/blobs/uploads/` } as const
type Service = keyof typeof PATHS
const SERVICES = Object.keys(PATHS) as Service[]

/** The request that an attacker would like an upstream to read behind the one that the sidecar sent. */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: foreign\r\nX-MLFLOW-WORKSPACE: blue\r\n\r\n'
const FRAMED = `Content-Length: ${SMUGGLED.length}`

/** `doors`: a sidecar with a model, MLflow and a registry, each of bare sockets. `raw(answer)`: one more of them. */
const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('raw', async ({}, { onCleanup }) => {
    const open: { close: () => void }[] = []
    onCleanup(() => open.forEach(({ close }) => close()))
    return async (...answer: Parameters<typeof rawUpstream>) => {
      const upstream = await rawUpstream(...answer)
      open.push(upstream)
      return upstream
    }
  })
  .extend('doors', async ({ start, raw, folder }) => {
    const [model, mlflow, oci] = [await raw(), await raw(), await raw()]
    const tokenPath = join(folder, 'mlflow-token')
    await writeFile(tokenPath, 'operator')
    const { url, lines } = await start({
      model: { url: model.url },
      mlflow: { url: mlflow.url, tokenPath, workspace: 'red' },
      oci: { host: oci.url.origin, repository: REPOSITORY, authPath: join(folder, 'none') },
    })
    return { url, lines, upstreams: { model, mlflow, oci } }
  })

/** What an upstream was asked, without the question how a registry wants to be asked. */
const askedOf = ({ requests }: { requests: RawRequest[] }) => requests.filter(({ line }) => line !== 'GET /v2/ HTTP/1.1')

const headOf = (method: string, path: string, ...headers: string[]) =>
  [`${method} ${path} HTTP/1.1`, 'Host: sidecar', ...headers, '', ''].join('\r\n')

describe.for(SERVICES)('an adapter that asks the %s', (service) => {
  const path = PATHS[service]

  // Guarantee: no header is overlooked, neither one that frames the body nor one that the sidecar should see.
  test('has its last header and its body passed on, however many headers stand before', async ({ doors: { url, upstreams } }) => {
    const many = Array.from({ length: 2500 }, () => 'if-a:')
    const chunks = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`
    await exchangeRaw(url, headOf('POST', path, 'Connection: close', ...many, 'If-Last: 1', 'Transfer-Encoding: chunked') + chunks)
    const [asked] = askedOf(upstreams[service])
    expect([asked?.body, valuesOf(asked!, 'if-last'), valuesOf(asked!, 'if-a')]).toEqual([SMUGGLED, ['1'], many.map(() => '')])
  })

  // Guarantee: a request of an adapter is one request of the upstream, with the body that was sent, whatever its headers say of one another.
  test('cannot make two requests of one by naming headers of its framing, with any method', async ({ doors: { url, upstreams } }) => {
    const methods = METHODS.filter((method) => method !== 'CONNECT' && method !== 'TRACE')
    const named = [
      'content-length',
      'Content-Length, close',
      'transfer-encoding, host, authorization, content-length',
      'content-length\t,x',
    ]
    const passed = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
    for (const method of methods) {
      const isPassed = service === 'model' || passed.includes(method)
      for (const names of named) {
        const before = askedOf(upstreams[service]).length
        await exchangeRaw(url, headOf(method, path, `Connection: ${names}`, FRAMED, 'Connection: close') + SMUGGLED)
        const asked = askedOf(upstreams[service]).slice(before)
        expect(asked.map(({ line, body }) => [line, body])).toEqual(isPassed ? [[`${method} ${path} HTTP/1.1`, SMUGGLED]] : [])
        if (!isPassed) continue
        expect(valuesOf(asked[0]!, 'content-length')).toEqual([String(SMUGGLED.length)])
        expect(valuesOf(asked[0]!, 'host')).toEqual([upstreams[service].url.host])
      }
      const before = askedOf(upstreams[service]).length
      const chunks = `${SMUGGLED.length.toString(16)};name="va;lue"\r\n${SMUGGLED}\r\n0\r\nX-Late: 1\r\n\r\n`
      await exchangeRaw(
        url,
        headOf(method, path, 'Connection: close, transfer-encoding', 'Transfer-Encoding: chunked', 'Trailer: X-Late') + chunks,
      )
      const asked = askedOf(upstreams[service]).slice(before)
      expect(asked.map(({ line, body }) => [line, body])).toEqual(isPassed ? [[`${method} ${path} HTTP/1.1`, SMUGGLED]] : [])
      expect(JSON.stringify(asked)).not.toMatch(/x-late|name=/i)
    }
    expect(upstreams[service].left.join('')).toBe('')
  })

  test('is understood as it says: requests that follow on one connection stay what they are', async ({ doors: { url, upstreams } }) => {
    const large = 'x'.repeat(300_000)
    const bytes = [
      headOf('GET', `${path}?1`, 'Connection: content-length, keep-alive', FRAMED) + SMUGGLED,
      headOf('POST', `${path}?2`, `Content-Length: ${large.length}`) + large,
      headOf('DELETE', `${path}?3`),
      headOf('POST', `${path}?4`, 'Connection: close'),
    ]
    const answered = await exchangeRaw(url, bytes.join(''))
    expect(answered.match(/HTTP\/1\.1 200/g)).toHaveLength(4)
    const seen = askedOf(upstreams[service]).map(({ line, body }) => [line, body.length])
    expect(seen.toSorted()).toEqual([
      [`DELETE ${path}?3 HTTP/1.1`, 0],
      [`GET ${path}?1 HTTP/1.1`, SMUGGLED.length],
      [`POST ${path}?2 HTTP/1.1`, large.length],
      [`POST ${path}?4 HTTP/1.1`, 0],
    ])
  })

  // What two readers could read in two ways goes no further.
  test.for([
    ['two lengths', headOf('POST', path, 'Content-Length: 5', FRAMED)],
    ['two lengths in one', headOf('POST', path, `Content-Length: 5, ${SMUGGLED.length}`)],
    ['the same length twice', headOf('POST', path, FRAMED, FRAMED)],
    ['a length with a sign', headOf('POST', path, `Content-Length: +${SMUGGLED.length}`)],
    ['a length in hexadecimal', headOf('POST', path, 'Content-Length: 0x10')],
    ['a length that overflows', headOf('POST', path, 'Content-Length: 18446744073709551680')],
    ['length and chunks', headOf('POST', path, FRAMED, 'Transfer-Encoding: chunked')],
    ['chunks and length', headOf('POST', path, 'Transfer-Encoding: chunked', FRAMED)],
    ['chunks twice', `${headOf('POST', path, 'Transfer-Encoding: chunked, chunked')}0\r\n\r\n`],
    ['chunks that are not last', headOf('POST', path, 'Transfer-Encoding: chunked, identity')],
    ['chunks of a coding', `${headOf('POST', path, 'Transfer-Encoding: gzip, chunked')}0\r\n\r\n`],
    ['an unknown coding', headOf('POST', path, 'Transfer-Encoding: xchunked')],
    ['a coding in quotes', headOf('POST', path, 'Transfer-Encoding: "chunked"')],
    ['a coding behind a tab', headOf('POST', path, 'Transfer-Encoding:\x0bchunked')],
    ['a coding on a line of its own', `${headOf('POST', path, 'Transfer-Encoding:\r\n chunked')}0\r\n\r\n`],
    ['a folded value', headOf('POST', path, 'X: a\r\n b', FRAMED)],
    ['a space before the colon', headOf('POST', path, `Content-Length : ${SMUGGLED.length}`)],
    ['a space before a name', headOf('POST', path, ` ${FRAMED}`)],
    ['a header without a colon', headOf('POST', path, 'Content-Length')],
    ['bare line feeds', `POST ${path} HTTP/1.1\nHost: a\n${FRAMED}\n\n`],
    [
      'a bare line feed in the head',
      `POST ${path} HTTP/1.1\r\nHost: a\r\nX: 1\nX-MLFLOW-WORKSPACE: blue\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    ['a bare carriage return', `POST ${path} HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n${FRAMED}\r\n\r\n`],
    ['a NUL in a value', headOf('POST', path, 'X: a\0b', FRAMED)],
    ['chunks whose size is no number', `${headOf('POST', path, 'Transfer-Encoding: chunked')}0x5\r\nhello\r\n0\r\n\r\n`],
    ['a chunk longer than it says', `${headOf('POST', path, 'Transfer-Encoding: chunked')}5\r\nhelloX\r\n0\r\n\r\n`],
    ['a chunk that ends with a bare line feed', `${headOf('POST', path, 'Transfer-Encoding: chunked')}5\r\nhello\n0\r\n\r\n`],
    ['no host', `POST ${path} HTTP/1.1\r\n${FRAMED}\r\n\r\n`],
    ['a whole URL', headOf('POST', `http://foreign${path}`, FRAMED)],
    ['another host as its target', headOf('CONNECT', 'foreign:80')],
    ['a tunnel', headOf('CONNECT', path)],
    ['an echo of its credentials', headOf('TRACE', path, 'Authorization: Bearer api-key:ref')],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/0.9', `GET ${path}\r\n\r\n`],
  ] as const)('gets nothing with %s', async ([, bytes], { doors: { url, upstreams } }) => {
    const answered = await exchangeRaw(url, `${bytes}${SMUGGLED}${headOf('GET', '/health', 'Connection: close')}`)
    expect(answered).toMatch(/^(HTTP\/1\.1 4\d\d |$)/)
    await vi.waitFor(() => expect(upstreams[service].left.join('')).toBe(''))
    // What came behind a whole request may be one of its own.
    expect(askedOf(upstreams[service]).filter(({ line }) => line !== 'GET /smuggled HTTP/1.1')).toEqual([])
  })

  test('passes on nothing that is for the connection alone, nor a header that another reads as one of the sidecar’s', async ({
    doors: { url, upstreams },
  }) => {
    const ours = ['TE: trailers', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk', 'Expect: 100-continue', 'Proxy-Connection: keep-alive']
    const more = [
      'Keep-Alive: timeout=5',
      'Proxy-Authorization: Basic eA==',
      'Trailer: x',
      'Content_Length: 3',
      'Transfer_Encoding: chunked',
    ]
    const named = ['Connection: upgrade, HTTP2-Settings, x-hop, x-end, accept, cookie, close', 'X-Hop: 1', 'Accept: text/x']
    await exchangeRaw(url, headOf('POST', path, ...ours, ...more, ...named, 'Content-Length: 3') + 'abc')
    const [asked] = askedOf(upstreams[service])
    expect(asked?.body).toBe('abc')
    const names = asked?.headers.map(([name]) => name) ?? []
    for (const name of [
      'te',
      'upgrade',
      'http2-settings',
      'expect',
      'proxy-connection',
      'keep-alive',
      'proxy-authorization',
      'trailer',
      'x-hop',
    ])
      expect(names).not.toContain(name)
    expect(names.filter((name) => /_/.test(name))).toEqual([])
    expect(names.filter((name) => name === 'content-length')).toHaveLength(1)
    // By this the hub would know it.
    expect(valuesOf(asked!, 'via')).toEqual(['1.1 evalhub-sidecar'])
    // An end-to-end header is not named away.
    expect(valuesOf(asked!, 'accept')).toEqual(['text/x'])
  })

  // Guarantee: bytes of one exchange are never those of another on a connection that was kept.
  test('that hangs up within a body leaves no connection behind that is used again', async ({ doors: { url, upstreams } }) => {
    const { requests, left, sockets } = upstreams[service]
    for (const framing of ['Content-Length: 400000', 'Transfer-Encoding: chunked']) {
      const piece = framing.startsWith('C') ? 'part' : '4\r\npart\r\n'
      const socket = connect(Number(url.port), url.hostname, () => socket.write(headOf('PUT', path, framing) + piece))
      await vi.waitFor(() => expect(left.filter((bytes) => bytes.includes('PUT'))).toHaveLength(1))
      const at = left.findIndex((bytes) => bytes.includes('PUT'))
      socket.destroy()
      await vi.waitFor(() => expect(sockets[at]?.destroyed).toBe(true))
      expect(left[at]?.endsWith('0\r\n\r\n')).toBe(false)
      left[at] = ''
      await exchangeRaw(url, headOf('GET', path, 'Connection: close'))
      expect(requests.at(-1)).toMatchObject({ line: `GET ${path} HTTP/1.1`, body: '' })
      expect(requests.at(-1)?.connection).not.toBe(at)
    }
  })
})

describe('beside a credential that the adapter does not have', () => {
  const claims = [
    'X_MLFLOW_WORKSPACE: blue',
    'x-Mlflow_Workspace: blue',
    'X-MLFLOW-WORKSPACE: blue',
    'Authorization_: x',
    'X-Forwarded-User: admin',
  ]
  const more = [
    'X-Remote-User: admin',
    'X_Remote_Groups: admins',
    'X-Forwarded-Access-Token: t',
    'Forwarded: for=admin',
    'Cookie: session=admin',
  ]
  const paths = ['X-Original-URL: /admin', 'X-Rewrite-URL: /admin', 'X-Forwarded-Prefix: /admin', 'X-HTTP-Method-Override: admin']
  const users = [
    'Remote-User',
    'kubeflow-userid',
    'Impersonate-User',
    'Impersonate-Extra-x',
    'X-WEBAUTH-USER',
    'X-Auth-Username',
    'X-Forwarded',
  ]
  const named = [...users, 'x-goog-authenticated-user-email'].map((name) => `${name}: admin`)
  const own = ['X-Tenant', 'X-User', 'X-MLFLOW-TENANT', 'X_Mlflow_Client_Version', 'X-Custom', 'Content_Type'].map(
    (name) => `${name}: admin`,
  )
  const plain = [
    ['accept', 'text/x'],
    ['user-agent', 'client'],
    ['range', 'bytes=1-'],
    ['if-none-match', '"a"'],
    ['traceparent', '00-a-b-01'],
    ['docker-upload-uuid', 'u'],
    ['x-mlflow-client-version', '3.17'],
  ] as const

  test.for(['mlflow', 'oci'] as const)(
    '%s hears no word of it about who asks, or for what',
    async (service, { doors: { url, upstreams } }) => {
      await exchangeRaw(
        url,
        headOf(
          'GET',
          PATHS[service],
          ...[claims, more, paths, named, own].flat(),
          ...plain.map((pair) => pair.join(': ')),
          'Connection: close, x-mlflow-workspace',
        ),
      )
      const [asked] = askedOf(upstreams[service])
      expect(JSON.stringify(asked?.headers)).not.toMatch(/blue|admin|access-token|authorization_/)
      for (const [name, value] of plain) expect([name, ...valuesOf(asked!, name)]).toEqual([name, value])
      if (service === 'mlflow') expect(valuesOf(asked!, 'x-mlflow-workspace')).toEqual(['red'])
    },
  )

  test('so does a model of the Secret’s, which hears what it likes of one that has a key of its own', async ({ start, raw, folder }) => {
    await writeFile(join(folder, 'api-key'), 'secret')
    const model = await raw()
    const { url } = await start({ model: { url: model.url, secretPath: folder } })
    const heads = [...more, ...paths, ...named, 'X-Tenant: kept', 'Anthropic-Version: 1', 'Connection: close']
    for (const key of ['api-key:ref', 'its own'])
      await exchangeRaw(url, headOf('GET', PATHS.model, ...heads, `Authorization: Bearer ${key}`))
    const [beside, open] = model.requests
    expect(valuesOf(beside!, 'authorization')).toEqual(['Bearer secret'])
    expect(JSON.stringify(beside?.headers)).not.toMatch(/admin|access-token/)
    expect([...valuesOf(beside!, 'x-tenant'), ...valuesOf(beside!, 'anthropic-version')]).toEqual(['kept', '1'])
    expect([...valuesOf(open!, 'cookie'), ...valuesOf(open!, 'remote-user')]).toEqual(['session=admin', 'admin'])
  })

  test.for(['mlflow', 'oci'] as const)('a session with %s is not handed to the adapter', async (service, { start, raw, folder }) => {
    const { url: upstream } = await raw(() => 'HTTP/1.1 200 OK\r\nSet-Cookie: session=ours\r\nContent-Length: 2\r\n\r\nok')
    const oci = { host: upstream.origin, repository: REPOSITORY, authPath: join(folder, 'none') }
    const { url } = await start(service === 'oci' ? { oci } : { mlflow: { url: upstream } })
    const answered = await exchangeRaw(url, headOf('GET', PATHS[service], 'Connection: close'))
    expect(answered).toMatch(/^HTTP\/1\.1 200/)
    expect(answered).not.toMatch(/session/)
  })
})

describe('an upstream', () => {
  const ask = (path: string) => headOf('GET', path, 'Connection: close')

  // Guarantee: what an upstream sends is the answer to what it was asked, whole, or none.
  test.for([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\nok', 502],
    ['length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 502],
    ['chunks of a coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 502],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n', 502],
    ['a status that is none', 'HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok', 502],
    ['a reason with a control character', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok', 502],
    ['a bare line feed in a header', 'HTTP/1.1 200 OK\r\nX: 1\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok', 502],
  ] as const)('that answers with %s is not passed on', async ([, answer, status], { start, raw }) => {
    const model = await raw(() => answer)
    const { url, lines } = await start({ model: { url: model.url } })
    expect(await exchangeRaw(url, ask('/v1/x'))).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    await vi.waitFor(() => expect(model.sockets.every(({ destroyed }) => destroyed)).toBe(true))
    expect(lines.join()).not.toMatch(/could not be served/)
  })

  test('that says more than one answer says it to nobody', async ({ start, raw }) => {
    const two = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned'
    const model = await raw(({ line }) => (line.includes('/first') ? two : 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo'))
    const { url } = await start({ model: { url: model.url } })
    const answers = [await exchangeRaw(url, ask('/first')), await exchangeRaw(url, ask('/second'))]
    expect(answers.map((answer) => answer.split('\r\n\r\n')[1])).toEqual(['one', 'two'])
  })

  test('frames nothing: its lengths, names and trailers of a connection end there', async ({ start, raw }) => {
    const heads = [
      'Connection: content-length, x-hop',
      'X-Hop: 1',
      'Keep-Alive: timeout=9',
      'Proxy-Authenticate: Basic',
      'Upgrade: h2c',
      'Trailer: X-Late',
    ]
    const answers: Record<string, string> = {
      '/empty': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
      '/named': ['HTTP/1.1 200 OK', ...heads, 'Content-Length: 2', '', 'ok'].join('\r\n'),
      '/late': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX-Late: 1\r\n\r\n',
    }
    const model = await raw(({ line }) => answers[line.split(' ')[1]!])
    const { url } = await start({ model: { url: model.url } })
    const [empty, named, late] = await Promise.all(Object.keys(answers).map((path) => exchangeRaw(url, ask(path))))
    expect(empty).toMatch(/^HTTP\/1\.1 204 /)
    expect(empty).not.toMatch(/content-length|transfer-encoding/i)
    expect(named).toMatch(/\r\ncontent-length: 2\r\n(.*\r\n)*\r\nok$/i)
    expect(named).not.toMatch(/x-hop|timeout=9|proxy-|h2c|trailer/i)
    expect(late).toMatch(/\r\n\r\n2\r\nok\r\n0\r\n\r\n$/)
  })

  test('whose answer an adapter leaves is not asked again on that connection', async ({ start, raw }) => {
    const model = await raw(({ line }) =>
      line.includes('/long') ? 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart' : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    )
    const { url } = await start({ model: { url: model.url } })
    const socket = connect(Number(url.port), url.hostname, () => socket.write(headOf('GET', '/long')))
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
    await vi.waitFor(() => expect(model.sockets[0]?.destroyed).toBe(true))
    expect(await exchangeRaw(url, ask('/next'))).toMatch(/ok$/)
    expect(model.requests.at(-1)?.connection).toBe(1)
  })
})

// Guarantee: what one packet of an adapter makes its sidecar do is one request.
test('of the requests that an adapter sends at once none begins before the one before is answered', async ({ start, raw }) => {
  const model = await raw(() => undefined)
  const { url } = await start({ model: { url: model.url } })
  const socket = connect(Number(url.port), url.hostname)
  socket.write(headOf('GET', '/v1/1') + headOf('GET', '/v1/2'))
  await vi.waitFor(() => expect(model.requests.map(({ line }) => line)).toEqual(['GET /v1/1 HTTP/1.1']))
  model.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await vi.waitFor(() => expect(model.requests.map(({ line }) => line)).toEqual(['GET /v1/1 HTTP/1.1', 'GET /v1/2 HTTP/1.1']))
  socket.destroy()
  await exchangeRaw(url, headOf('GET', '/v1/many').repeat(1000))
  expect(model.requests.filter(({ line }) => line.includes('many')).length).toBeLessThan(2)
})
