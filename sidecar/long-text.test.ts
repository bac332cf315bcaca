import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readKey } from './credentials.ts'
import { canonicalHost, credentialsFor } from './docker-config.ts'
import { routeOf } from './route.ts'

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

test('nor a Secret of many empty lines', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'evalhub-long-'))
  try {
    await writeFile(join(folder, 'key'), `a${many('\n')}b\n\n`)
    expect(await readKey(folder, 'key')).toBe(`a${many('\n')}b`)
  } finally {
    await rm(folder, { recursive: true })
  }
})
