import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IncomingMessage } from 'node:http'
import { afterEach, expect, test, vi } from 'vitest'
import { readKey } from './credentials.ts'
import { canonicalHost, credentialsFor } from './docker-config.ts'
import { ownLocation } from './forward.ts'
import { nextLink } from './init/download-hf.ts'
import { routeOf } from './route.ts'

afterEach(() => void vi.restoreAllMocks())

// Each of these took minutes: a search that begins anew at each of as many characters as somebody likes to write.
const many = (text: string) => text.repeat(500_000)

test('a repository of nothing but slashes and one letter holds up no request', () => {
  expect(routeOf('/v1/models', `a${many('/')}b`)).toBe('model')
})

test('nor does the host or the path of a registry', () => {
  expect(canonicalHost(`host${many('/')}\n`)).toBe('host')
  const config = JSON.stringify({ auths: { [`host/a${many('/')}b`]: { auth: '' } } })
  expect(credentialsFor(config, 'host', 'a')).toBeUndefined()
})

test.each(['<', '<a', '<a>;', '<a>;x rel', '<a> '])('nor a list that says a thousand times with %j where it goes on', (part) => {
  expect(nextLink(many(part))).toBeUndefined()
  expect(nextLink(`${part.repeat(1000)}, <http://h/2>; rel="next"`)).toBe('http://h/2')
})

test('nor a redirect to a host as long as headers may be', () => {
  const reads = [vi.spyOn(URL, 'parse'), vi.spyOn(URL, 'canParse')]
  const answerTo = (location: string) => ({ headers: { location } }) as IncomingMessage
  const [asked, request] = [new URL('https://registry'), { headers: { host: 'localhost:8080' } } as IncomingMessage]
  const long = `https://${'%E6%A8%A1'.repeat(1800)}/v2/`
  expect(ownLocation(answerTo(long), asked, request)).toBe(long)
  for (const read of reads) expect(read).not.toHaveBeenCalled()
  expect(ownLocation(answerTo('https://registry/v2/?a=b'), asked, request)).toBe('http://localhost:8080/v2/?a=b')
})

test('nor a Secret of many empty lines', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'evalhub-long-'))
  try {
    await writeFile(join(folder, 'key'), `a${many('\n')}b\n\n`)
    expect(await readKey(folder, 'key')).toBe(`a${many('\n')}b`)
  } finally {
    await rm(folder, { recursive: true })
  }
})
