import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { request as requestHttps } from 'node:https'
import { parseUrl } from '#shared/domain/url-problem.ts'
import type { Agents } from './guarded-connect.ts'
import { InitError } from './init-error.ts'

/** A header that goes to one origin (scheme, host and port) and to no other. */
export type Authorization = { origin: string; value: string }

type Options = {
  agents: Agents
  signal: AbortSignal
  method?: string
  headers?: OutgoingHttpHeaders
  body?: Uint8Array
  authorization?: Authorization | undefined
}

/** `body` must be read, or destroyed. */
export type Answer = { url: URL; status: number; reason: string; headers: IncomingHttpHeaders; body: IncomingMessage }

const redirectsMax = 10
/** A server that sends nothing for that long has gone. */
const silenceMs = 60_000

/** Asks, and follows redirects: each is a connection that the agents' guard judges anew. From https none leads to http. */
export async function request(url: URL, options: Options): Promise<Answer> {
  let target = url
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const answer = await send(target, options)
    const { location } = answer.headers
    if (answer.status < 300 || answer.status >= 400 || answer.status === 304 || !location) return answer
    answer.body.destroy()
    target = redirected(target, location, answer.status, options.method)
  }
  throw new InitError(`${url.origin} redirects more than ${redirectsMax} times`)
}

function redirected(from: URL, location: string, status: number, method = 'GET'): URL {
  const to = parseUrl(location, from)
  if (!to) throw new InitError(`${from.origin} redirects to what is no URL, or a longer one than is read`)
  const isDowngrade = from.protocol === 'https:' && to.protocol !== 'https:'
  if (isDowngrade || !/^https?:$/.test(to.protocol))
    throw new InitError(`${from.origin} redirects to ${to.protocol}//${to.host}, which is not secure`)
  if (method !== 'GET' && status !== 307 && status !== 308)
    throw new InitError(`${from.origin} answers a ${method} with redirect ${status}`)
  to.username = ''
  to.password = ''
  return to
}

function send(url: URL, { agents, signal, method = 'GET', headers, body, authorization }: Options): Promise<Answer> {
  const isSecure = url.protocol === 'https:'
  const authorized = authorization?.origin === url.origin ? { authorization: authorization.value } : {}
  return new Promise((resolve, reject) => {
    const outgoing = (isSecure ? requestHttps : requestHttp)(url, {
      agent: isSecure ? agents.https : agents.http,
      method,
      signal,
      headers: { 'user-agent': 'evalhub', ...headers, ...authorized },
    })
    outgoing.setTimeout(silenceMs, () => outgoing.destroy(new Error(`${url.host} sent nothing for ${silenceMs / 1000} s`)))
    outgoing.once('error', reject)
    outgoing.once('response', (incoming) => {
      const { statusCode = 0, statusMessage = '' } = incoming
      resolve({ url, status: statusCode, reason: statusMessage, headers: incoming.headers, body: incoming })
    })
    outgoing.end(body)
  })
}
