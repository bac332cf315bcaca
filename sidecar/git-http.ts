import { buffer } from 'node:stream/consumers'
import type { HttpClient } from 'isomorphic-git'
import { request, type Authorization } from './guarded-request.ts'
import type { Agents } from './guarded-connect.ts'
import { InitError } from './init-error.ts'

type Options = {
  /** Of the repository, without a slash at its end. */
  url: string
  agents: Agents
  signal: AbortSignal
  authorization: Authorization | undefined
  /** Of one answer. */
  maxBytes: number
}

export type GitHttp = HttpClient & {
  /** What went wrong with an answer while it was read: isomorphic-git keeps it to itself. */
  failure: () => unknown
}

const advertisement = '/info/refs?service=git-upload-pack'

/** How isomorphic-git asks a server here. What follows a redirected list of branches is asked where that led, as git does. */
export function createGitHttp({ url: repository, agents, signal, authorization, maxBytes }: Options): GitHttp {
  let base = repository
  let failure: unknown

  async function* bounded(body: AsyncIterable<Uint8Array>) {
    let bytes = 0
    try {
      for await (const chunk of body) {
        bytes += chunk.length
        if (bytes > maxBytes) {
          const limit = `${maxBytes} bytes, the limit for what a repository sends`
          throw new InitError(`it has more than ${limit}; keep large data in S3, or ask the operator for a higher limit`)
        }
        yield chunk
      }
    } catch (error) {
      failure = error
      throw error
    }
  }

  return {
    failure: () => failure,
    async request({ url, method = 'GET', headers = {}, body }) {
      const target = new URL(base + url.slice(repository.length))
      const sent = body && (await buffer(body))
      // Credentials are added for one origin only; isomorphic-git would send those in an address anywhere.
      const { Authorization: _, ...rest } = headers
      const answer = await request(target, {
        agents,
        signal,
        authorization,
        method,
        headers: { 'user-agent': 'git/2.0 (evalhub)', ...rest, ...(sent && { 'content-length': sent.length }) },
        ...(sent && { body: sent }),
      })
      const end = answer.url.href
      if (method === 'GET' && end.endsWith(advertisement)) base = end.slice(0, -advertisement.length)
      const plain = Object.entries(answer.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : []))
      return {
        url: end,
        method,
        statusCode: answer.status,
        statusMessage: answer.reason,
        headers: Object.fromEntries(plain),
        body: bounded(answer.body),
      }
    },
  }
}
