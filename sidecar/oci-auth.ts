import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { isConfidential } from '#shared/domain/confidential-url.ts'
import { parseUrl } from '#shared/domain/url-problem.ts'
import { credentialsFor } from './docker-config.ts'
import { RefusedTarget } from './guard.ts'
import { parseChallenges, type Challenge } from './oci-challenge.ts'
import { parseObject } from './parse-object.ts'
import { readText } from './read-text.ts'
import { UpstreamError, type Transport } from './transport.ts'

/** How requests for one repository are authorised. Undefined: by nothing. */
export type OciAuth = {
  /** The header's value, asked for before the first request and again before it expires. */
  authorization: () => Promise<string | undefined>
  /** A new value for a request that was answered with 401. */
  renewed: (refusal: IncomingMessage) => Promise<string | undefined>
  /** The value is good no more: the next request asks for another. */
  forget: () => void
}

type Settings = {
  registry: URL
  repository: string
  /** Docker configuration with the credentials; a file that is not there means that there are none. */
  authPath: string
  transport: Transport
  /** Milliseconds of a clock that never jumps. */
  now: () => number
}

type Authorization = { header: string | undefined; until: number }

/** A registry that asks for nothing may do so later. */
const OPEN_MS = 300_000
/** What a token lives when its issuer does not say; by the specification of registries. */
const TOKEN_SECONDS = 60

/** Answers the challenges of a registry: Bearer with the rights to pull from and push to the repository, or Basic; with credentials or without. */
export function createOciAuth(settings: Settings): OciAuth {
  const { registry, transport, now } = settings
  let known: Authorization | undefined
  let asking: Promise<Authorization> | undefined

  // Requests that come at once wait for one answer.
  const once = (ask: () => Promise<Authorization>) => {
    asking ??= ask().finally(() => (asking = undefined))
    return asking
  }
  const ask = async (): Promise<Authorization> => {
    const answer = await transport({ method: 'GET', url: registry, path: '/v2/', headers: [], body: undefined })
    await readText(answer)
    return answer.statusCode === 401 ? answerChallenge(settings, answer) : { header: undefined, until: now() + OPEN_MS }
  }
  return {
    async authorization() {
      if (!known || now() >= known.until) known = await once(ask)
      return known.header
    },
    async renewed(refusal) {
      known = await once(() => answerChallenge(settings, refusal))
      return known.header
    },
    forget: () => (known = undefined),
  }
}

async function answerChallenge(settings: Settings, { headers }: IncomingMessage): Promise<Authorization> {
  const { authPath, registry, repository, now } = settings
  const challenges = parseChallenges(headers['www-authenticate'] ?? '')
  const credentials = await readCredentials(authPath, registry.host, repository)
  const basic = credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`
  if (basic !== undefined && challenges.length > 0 && !isConfidential(registry.href)) {
    const mend = 'write exports.oci.coordinates.oci_host without http://, or leave the connection away'
    throw new UpstreamError(
      'unauthorized',
      `${registry.host} is asked in plain HTTP and wants credentials, which go over https only; ${mend}`,
    )
  }
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.realm !== undefined)
  if (bearer) return askForToken(settings, bearer, basic)
  const isBasic = challenges.some(({ scheme }) => scheme === 'basic')
  return { header: isBasic ? basic : undefined, until: now() + OPEN_MS }
}

async function askForToken(
  { registry, repository, transport, now }: Settings,
  { parameters }: Challenge,
  basic: string | undefined,
): Promise<Authorization> {
  const realm = tokenService(parameters.realm ?? '', registry, basic !== undefined)
  if (parameters.service !== undefined) realm.searchParams.set('service', parameters.service)
  realm.searchParams.set('scope', `repository:${repository}:pull,push`)
  const answer = await transport({
    method: 'GET',
    url: realm,
    path: `${realm.pathname}${realm.search}`,
    headers: ['accept', 'application/json', ...(basic === undefined ? [] : ['authorization', basic])],
    body: undefined,
  })
  const text = await readText(answer)
  const { token, seconds } = answer.statusCode === 200 ? readToken(text) : {}
  if (token === undefined) {
    const whose = basic === undefined ? 'without credentials' : 'with the credentials of the connection'
    const isRefused = answer.statusCode === 401 || answer.statusCode === 403
    throw new UpstreamError(
      isRefused ? 'unauthorized' : 'connection',
      `the token service of ${registry.host} answered ${answer.statusCode} ${whose}`,
    )
  }
  // A token is not used to its last second: the request has a way to go.
  return { header: `Bearer ${token}`, until: now() + (seconds ?? TOKEN_SECONDS) * 900 }
}

/** A registry names its token service, which then gets the credentials: over no connection that others can read, nor one less safe than its own. */
function tokenService(realm: string, registry: URL, hasCredentials: boolean): URL {
  const url = parseUrl(realm)
  const mayBePlain = url?.protocol === 'http:' && registry.protocol === 'http:'
  if (!url || !(url.protocol === 'https:' || mayBePlain)) {
    throw new UpstreamError('connection', `${registry.host} names a token service that is no https URL`)
  }
  if (!hasCredentials || isConfidential(url.href)) return url
  throw new RefusedTarget(`${registry.host} names a token service in plain HTTP, ${url.origin}, which gets no credentials.`)
}

function readToken(text: string): { token?: string; seconds?: number } {
  const answer = parseObject(text) ?? {}
  const [token, accessToken, seconds] = ['token', 'access_token', 'expires_in'].map((name): unknown => answer[name])
  const found = [token, accessToken].find((value) => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value))
  return { ...(typeof found === 'string' && { token: found }), ...(typeof seconds === 'number' && seconds > 0 && { seconds }) }
}

/** Read at every challenge, so that new credentials count at once. Throws for a file that cannot be understood. */
export async function readCredentials(authPath: string, host: string, repository: string): Promise<string | undefined> {
  const text = await readFile(authPath, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : credentialsFor(text, host, repository)
}
