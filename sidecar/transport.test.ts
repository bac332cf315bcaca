import { copyFile, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import { join } from 'node:path'
import tls from 'node:tls'
import { describe, expect } from 'vitest'
import { LIMITS, requestOf, test as base } from './test-sidecar.ts'
import { createTransport } from './transport.ts'

const fixture = (name: string) => join(import.meta.dirname, 'fixtures', name)

/** A server with a certificate of `ca.pem`. */
// oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
const test = base.extend('secure', async ({}, { onCleanup }) => {
  const server = createServer(
    { key: await readFile(fixture('localhost.key')), cert: await readFile(fixture('localhost.pem')) },
    (_, response) => response.end('secure'),
  )
  onCleanup(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return new URL(`https://localhost:${(server.address() as { port: number }).port}`)
})

describe('the certificate of a model', () => {
  test('is judged by the Secret’s ca_cert, as it is at the moment', async ({ start, secure, folder }) => {
    const caPath = join(folder, 'ca_cert')
    const { url } = await start({ model: { url: secure, caPath } })
    const ask = async () => {
      const { status, text } = await requestOf(url, '/')
      return [status, text]
    }
    expect(await ask()).toEqual([502, expect.stringMatching(/certificate/)])
    await copyFile(fixture('other-ca.pem'), caPath)
    expect(await ask()).toEqual([502, expect.stringMatching(/certificate/)])
    await copyFile(fixture('ca.pem'), caPath)
    expect(await ask()).toEqual([200, 'secure'])
    await rm(caPath)
    expect(await ask()).toEqual([502, expect.stringMatching(/certificate/)])
  })

  // Guarantee: an authority of one's own is trusted beside those of the system, not instead of them.
  test('may also be of an authority that is known anyway', async ({ start, secure, onTestFinished }) => {
    const known = tls.getCACertificates('default')
    onTestFinished(() => tls.setDefaultCACertificates(known))
    tls.setDefaultCACertificates([...known, await readFile(fixture('ca.pem'), 'utf8')])
    const { url } = await start({ model: { url: secure, caPath: fixture('other-ca.pem') } })
    expect(await requestOf(url, '/')).toMatchObject({ status: 200, text: 'secure' })
  })

  test('must name the host', async ({ start, secure }) => {
    const url = new URL(secure)
    url.hostname = '127.0.0.2'
    const { url: sidecar } = await start({ model: { url, caPath: fixture('ca.pem') }, limits: { ...LIMITS, connectMs: 500 } })
    expect((await requestOf(sidecar, '/')).status).toBe(502)
  })
})

test('a name is checked by the addresses that are connected to', async ({ upstream }) => {
  const { url } = await upstream((_, response) => void response.end('x'))
  url.hostname = 'localhost'
  const looked: (readonly string[])[] = []
  const transport = createTransport({ limits: LIMITS, guard: async (_, addresses) => void looked.push(addresses) })
  const answer = await transport({ method: 'GET', url, path: '/', headers: [], body: undefined })
  answer.resume()
  expect(looked.flat()).toContain('127.0.0.1')
})
