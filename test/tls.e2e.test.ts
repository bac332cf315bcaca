import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { get as httpsGet } from 'node:https'
import { join } from 'node:path'
import { connect as connectTls, getCiphers } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Postgres } from '#local/postgres.ts'
import { runEntry, startEntry, type EntryProcess } from './entry-process.ts'
import { startTemporary } from './start-postgres.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

let server: Postgres
let folder: string
let functions: EntryProcess

beforeAll(async () => {
  server = await startTemporary()
  expect((await runEntry('k8s-bridge/migrate.ts', { DATABASE_URL: server.url })).code).toBe(0)
})
afterAll(() => server.stop())

beforeEach(async () => {
  folder = await makeFolder()
  functions = await startEntry('functions/server.ts', { DATABASE_URL: server.url, IDENTITY_MODE: 'none', ...(await makeCertificate()) })
})
afterEach(async () => {
  await functions.stop()
  await removeFolder(folder)
})

const certFile = () => join(folder, 'cert.pem')
const keyFile = () => join(folder, 'key.pem')

const ELLIPTIC = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']

async function makeCertificate(kind = ELLIPTIC): Promise<{ TLS_CERT_FILE: string; TLS_KEY_FILE: string }> {
  const [TLS_CERT_FILE, TLS_KEY_FILE] = [certFile(), keyFile()]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const newKey = ['-newkey', ...kind, '-nodes', '-keyout', TLS_KEY_FILE]
  await promisify(execFile)('openssl', ['req', '-x509', '-days', '1', ...newKey, '-out', TLS_CERT_FILE, ...subject])
  return { TLS_CERT_FILE, TLS_KEY_FILE }
}

test('the functions speak TLS 1.2 and 1.3 with a certificate and its key, and nothing older', async () => {
  const url = String(functions.ready.url)
  expect(url).toMatch(/^https:/)
  const ca = await readFile(certFile())
  const [answer] = (await once(httpsGet(`${url}/readyz`, { ca }), 'response')) as [IncomingMessage]
  answer.resume()
  expect(answer.statusCode).toBe(200)
  const speak = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') => {
    const { hostname: host, port } = new URL(url)
    // Without that, this client would not even ask for what is old.
    const socket = connectTls({ host, port: Number(port), ca, minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' })
    await once(socket, 'secureConnect')
    socket.destroy()
    return socket.getProtocol()
  }
  await speak('TLSv1.2')
  await speak('TLSv1.3')
  await expect(speak('TLSv1.1')).rejects.toThrow(/alert protocol version/)
})

/** Suites of TLS 1.2 that a connection could be made with, of all that this client has. */
async function suitesOf(url: string): Promise<string[]> {
  const { hostname: host, port } = new URL(url)
  const spoken = await Promise.all(
    getCiphers().map(async (name) => {
      if (name.startsWith('tls_')) return []
      const options = { host, port: Number(port), rejectUnauthorized: false, maxVersion: 'TLSv1.2' } as const
      const socket = connectTls({ ...options, ciphers: `${name.toUpperCase()}:@SECLEVEL=0` })
      const outcome = await once(socket, 'secureConnect').then(
        () => [name],
        () => [],
      )
      socket.destroy()
      return outcome
    }),
  )
  return spoken.flat().sort()
}

// Guarantee: what was recorded cannot be read by who takes the key of the certificate afterwards.
test('the functions agree on keys that are gone with the connection, whatever a client asks for, and after a renewal too', async () => {
  const own = await startEntry('functions/server.ts', {
    DATABASE_URL: server.url,
    IDENTITY_MODE: 'headers',
    RUN_TOKEN_KEY: 'the key of run tokens in this test',
    ...(await makeCertificate(['rsa:2048'])),
  })
  try {
    const expected = ['ecdhe-rsa-aes128-gcm-sha256', 'ecdhe-rsa-aes256-gcm-sha384', 'ecdhe-rsa-chacha20-poly1305']
    const urls = [own.ready.url, own.ready.events_url].map(String)
    for (const url of urls) expect(await suitesOf(url)).toEqual(expected)
    await makeCertificate(['rsa:2048'])
    const renewals = () => own.lines().filter(({ message }) => message === 'the certificate was read again')
    await vi.waitFor(() => expect(renewals().length).toBeGreaterThanOrEqual(2), { timeout: 20_000 })
    for (const url of urls) expect(await suitesOf(url)).toEqual(expected)
  } finally {
    await own.stop()
  }
})

test('the functions serve a certificate that was renewed while they run, and keep the old one while its key does not fit', async () => {
  const { hostname: host, port } = new URL(String(functions.ready.url))
  const served = async () => {
    const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }
  const first = await served()
  expect(first).toMatch(/^[0-9A-F:]{95}$/)
  const key = await readFile(keyFile())
  await makeCertificate()
  const renewedKey = await readFile(keyFile())
  await writeFile(keyFile(), key)
  const told = (message: string) => functions.lines().some((line) => line.message.startsWith(message))
  await vi.waitFor(() => expect(told('the certificate and its key do not fit')).toBe(true), { timeout: 10_000 })
  expect(await served()).toBe(first)
  await writeFile(keyFile(), renewedKey)
  await vi.waitFor(async () => expect(await served()).not.toBe(first), { timeout: 10_000 })
})
