import { createHash } from 'node:crypto'
import { truncate, writeFile } from 'node:fs/promises'
import type { IncomingMessage, RequestListener } from 'node:http'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { test } from '#sidecar/test-sidecar.ts'
import { createRegistry } from './oci-registry.ts'
import { pause } from './pause.ts'

const text = '{}'
const blob = { digest: `sha256:${createHash('sha256').update(text).digest('hex')}`, mediaType: 'application/json', content: { text } }

/** Of `baseUrl`, as a run has it. */
const registryOf = (baseUrl: string, patienceSeconds = 0.3) =>
  createRegistry({
    baseUrl,
    shownAs: 'registry.example/team/results',
    repository: 'team/results',
    patienceSeconds,
    signal: new AbortController().signal,
    log: () => {},
  })

/** A registry that has nothing, sends uploads to `location`, and takes them. */
const sendingTo =
  (location: string): RequestListener =>
  ({ method }, response) => {
    if (method === 'POST') response.writeHead(202, { location }).end()
    else response.writeHead(method === 'HEAD' ? 404 : 201).end()
  }

describe('an upload', () => {
  test.for([
    'http://elsewhere.example:1/put?a=b',
    '//elsewhere.example/put',
    'https://user:pass@elsewhere.example/put',
    'data:,x',
    'http://user:pass@[',
  ])('is not sent to %s, where the registry did not receive the question', async (location, { upstream }) => {
    const { url } = await upstream(sendingTo(location))
    const stored = registryOf(url.origin).putBlob(blob)
    const told = location.includes('elsewhere')
      ? /sends its uploads to https?:\/\/elsewhere\.example(:1)?, elsewhere than it is asked/
      : /sends its uploads to what is no address/
    await expect(stored).rejects.toThrow(told)
    await expect(stored).rejects.toMatchObject({ code: 'oci_export_failed', message: expect.not.stringContaining('pass') })
  })

  // A name and a port decide it, so the other server must not be asked even where it listens on the same machine.
  test('reaches no other server', async ({ upstream }) => {
    const asked: string[] = []
    const other = await upstream((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(500).end('a secret of the network')
    })
    const { url } = await upstream(sendingTo(`${other.url.origin}/put`))
    await expect(registryOf(url.origin).putBlob(blob)).rejects.toThrow(other.url.host)
    expect(asked).toEqual([])
  })

  test.for([(origin: string) => `${origin}/put?a=b`, () => '/put?a=b', () => '?a=b'])(
    'goes on at its own host: %s',
    async (location, { upstream }) => {
      const asked: string[] = []
      let own = ''
      const { url } = await upstream((request, response) => {
        asked.push(`${request.method} ${request.url}`)
        sendingTo(location(own))(request, response)
      })
      own = url.origin
      await registryOf(own).putBlob(blob)
      expect(asked.at(-1)).toMatch(new RegExp(`^PUT .*[?]a=b&digest=${encodeURIComponent(blob.digest)}$`))
    },
  )
})

/** Takes an upload a piece every 10 ms, and all at once after two seconds. */
async function takeSlowly(request: IncomingMessage): Promise<void> {
  const begun = performance.now()
  for await (const _ of request) if (performance.now() < begun + 2000) await pause(10, undefined)
}

test('an upload may last longer than the patience of the export, as long as it goes on', async ({ upstream, folder }) => {
  const path = join(folder, 'layer')
  await writeFile(path, '')
  await truncate(path, 32 * 1024 * 1024)
  const { url } = await upstream((request, response) => {
    if (request.method === 'PUT') void takeSlowly(request).then(() => response.writeHead(201).end())
    else sendingTo('/put')(request, response)
  })
  await expect(registryOf(url.origin, 1.5).putBlob({ ...blob, content: { path } })).resolves.toBeUndefined()
})

describe('an answer', () => {
  test('is read up to 64 KiB, and its rest is not waited for', async ({ upstream }) => {
    const closed = Promise.withResolvers<void>()
    const { url } = await upstream((_, response) => {
      response.writeHead(403).write('x'.repeat(70_000))
      response.once('close', closed.resolve)
    })
    await expect(registryOf(url.origin, 60).putManifest('v1', blob)).rejects.toThrow(/answered 403 to PUT \(x+\)/)
    await closed.promise
  })

  test.for<[string, RequestListener]>([
    ['never comes', () => {}],
    ['never ends', (_, response) => void response.writeHead(201).write('x')],
    [
      'drips',
      (_, response) => {
        response.writeHead(201)
        const timer = setInterval(() => response.write('x'), 20)
        response.once('close', () => clearInterval(timer))
      },
    ],
  ])('that %s is given up once the patience of the export is spent', async ([, listener], { upstream }) => {
    let asked = 0
    const { url } = await upstream((request, response) => {
      asked++
      listener(request, response)
    })
    const stored = registryOf(url.origin).putManifest('v1', blob)
    await expect(stored).rejects.toThrow(
      /could not be stored in registry\.example\/team\/results: there was no whole answer in 0\.3 s\. It was given 0\.3 s\./,
    )
    await expect(stored).rejects.toMatchObject({ code: 'oci_export_failed' })
    expect(asked).toBe(1)
  })

  test('has after a failure only what that left of the patience', async ({ upstream }) => {
    let asked = 0
    const { url } = await upstream((_, response) => {
      if (asked++ === 0) response.writeHead(500, { 'retry-after': '1' }).end()
    })
    await expect(registryOf(url.origin, 2.5).putManifest('v1', blob)).rejects.toThrow(
      /there was no whole answer in [01](\.\d)? s\. It was given 2\.5 s\./,
    )
  })
})
