import { createRemoteJWKSet, customFetch, errors, jwtVerify, type FetchImplementation, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { isConfidential } from '#shared/domain/confidential-url.ts'
import { HubError } from '#shared/errors.ts'
import { bearerOf } from './bearer.ts'
import { callerOfClaims, type Claims } from './claims.ts'
import { identityHeader, type Identify, type OidcSettings } from './identity.ts'

/** Signatures by a key pair only: with a shared secret, the issuer's public key would do as one. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

/** Between the clocks of the issuer and of this process. */
const CLOCK_TOLERANCE_SECONDS = 30

/** As long as an issuer may take to answer. */
const ISSUER_LIMIT_MS = 5000

/**
 * Callers by the Bearer tokens of an OpenID Connect issuer. Refuses what is no good token of it with `unauthorized`, without a word of the token.
 *
 * The issuer's keys are kept for 10 minutes; a token of a key that is not known yet has them fetched again, at most every 30 seconds.
 * An issuer that is needed and away: `unavailable`.
 */
export function identifyByToken(settings: OidcSettings, now: () => Date): Identify {
  const getKey = keysOf(settings)
  return async function identifyByToken(headers) {
    const token = bearerOf(headers)
    if (token === undefined) throw HubError.of('unauthorized', { Error: 'The request needs a Bearer token.' })
    const claims = await verified(token, getKey, settings, now())
    return callerOfClaims(claims, identityHeader(headers, 'X-Tenant'), settings)
  }
}

async function verified(token: string, getKey: JWTVerifyGetKey, { issuer, audience }: OidcSettings, now: Date): Promise<Claims> {
  try {
    const { payload } = await jwtVerify(token, getKey, {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
      currentDate: now,
    })
    return payload
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw HubError.of('unauthorized', { Error: 'The token has expired.' })
    if (isTokensFault(error)) throw HubError.of('unauthorized', { Error: 'The token is not valid here.' })
    throw HubError.of('unavailable', { Error: 'the issuer of tokens is not reachable.' }, error)
  }
}

/** What a token can do wrong; all other errors come of the issuer or of its keys. */
const isTokensFault = (error: unknown): boolean =>
  [
    errors.JOSEAlgNotAllowed,
    errors.JOSENotSupported,
    errors.JWKSMultipleMatchingKeys,
    errors.JWKSNoMatchingKey,
    errors.JWSInvalid,
    errors.JWSSignatureVerificationFailed,
    errors.JWTClaimValidationFailed,
    errors.JWTInvalid,
  ].some((fault) => error instanceof fault)

/** The issuer's keys, from where they are said to be. Nothing is asked before the first token, and many tokens at once ask once. */
function keysOf({ issuer, jwksUrl }: OidcSettings): JWTVerifyGetKey {
  const timeout = { timeoutDuration: ISSUER_LIMIT_MS }
  if (jwksUrl !== undefined) return createRemoteJWKSet(new URL(jwksUrl), timeout)
  const discoveryUrl = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  return createRemoteJWKSet(discoveryUrl, { ...timeout, [customFetch]: fetchDiscovered(issuer) })
}

const Discovery = z.object({
  issuer: z.string(),
  jwks_uri: z.string().refine(isConfidential, 'must be an https URL, or an http one of this machine'),
})

/** Fetches the keys that an issuer's discovery document names. Throws if the document is another issuer's, or its keys would come unencrypted. */
const fetchDiscovered =
  (issuer: string): FetchImplementation =>
  async (url, options) => {
    const response = await fetch(url, options)
    if (!response.ok) throw new Error(`${url} answered ${response.status}`)
    const document = Discovery.parse(await response.json())
    if (document.issuer !== issuer) throw new Error(`${url} describes another issuer, '${document.issuer}'`)
    return fetch(document.jwks_uri, options)
  }
