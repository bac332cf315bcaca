import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'

/** A key pair of the issuer, and how its public half is published. */
export type IssuerKey = { alg: string; kid: string; privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK }

export async function newKey(alg: string, kid: string): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { alg, kid, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

/** An OpenID Connect issuer on loopback: a discovery document and a key set, and what went wrong with it if it shall. */
export type TestIssuer = {
  url: string
  jwksUrl: string
  /** What the key set holds from now on. */
  publish: (...keys: IssuerKey[]) => void
  /** Times that the key set was asked for. */
  fetched: () => number
  /** From now on every request is answered so. */
  answerWith: (status: number, body: string) => void
  /** A token that is good in every way, but for what `claims` says otherwise. `now` is in seconds. */
  sign: (key: IssuerKey, claims?: Record<string, unknown>) => Promise<string>
  close: () => Promise<void>
}

export const AUDIENCE = 'evalhub'
export const NOW = new Date('2026-11-23T12:00:00Z')
export const SECONDS = NOW.getTime() / 1000

export async function startIssuer(): Promise<TestIssuer> {
  let keys: IssuerKey[] = []
  let fetched = 0
  let fixed: { status: number; body: string } | undefined
  const server = createServer((request, response) => {
    const isKeys = request.url === '/keys'
    if (isKeys) fetched++
    const body = isKeys ? { keys: keys.map(({ jwk }) => jwk) } : { issuer: url, jwks_uri: `${url}/keys` }
    response.writeHead(fixed?.status ?? 200, { 'content-type': 'application/json', connection: 'close' })
    response.end(fixed?.body ?? JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    jwksUrl: `${url}/keys`,
    publish: (...published) => void (keys = published),
    fetched: () => fetched,
    answerWith: (status, body) => void (fixed = { status, body }),
    sign: ({ alg, kid, privateKey }, claims = {}) => {
      const good = { iss: url, aud: AUDIENCE, sub: 'ann', tenants: ['red'], scope: 'read write', iat: SECONDS, exp: SECONDS + 300 }
      return new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg, kid }).sign(privateKey)
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
