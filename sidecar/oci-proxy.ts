import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SidecarSettings } from './config.ts'
import { canonicalHost } from './docker-config.ts'
import { bodyOf, ownLocation, passBack, PLAIN_HEADERS, sendOn } from './forward.ts'
import { createOciAuth } from './oci-auth.ts'
import { scopedToRepository } from './oci-scope.ts'
import type { Transport } from './transport.ts'

/** Where the API of the registry that a reference names is. Plain HTTP only if the reference says `http://`. */
export function registryUrl(host: string): URL {
  const scheme = /^http:\/\//i.test(host.trim()) ? 'http' : 'https'
  const name = canonicalHost(host)
  return new URL(`${scheme}://${name === 'docker.io' ? 'registry-1.docker.io' : name}`)
}

/**
 * Passes requests for the run's repository on to its registry, with its authorisation in place of the adapter's.
 *
 * A small request that is answered with 401 is sent once more, with a new token; one that streams is not, and its answer goes back.
 */
export function createOciProxy({ host, repository, authPath }: NonNullable<SidecarSettings['oci']>, transport: Transport) {
  const registry = registryUrl(host)
  const auth = createOciAuth({ registry, repository, authPath, transport, now: () => performance.now() })

  return async function proxyOci(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/'
    const scoped = scopedToRepository(request, repository)
    const send = (authorization: string | undefined, body: Awaited<ReturnType<typeof bodyOf>>) =>
      sendOn(transport, request, response, { url: registry, path, changes: { authorization, ...scoped }, only: PLAIN_HEADERS }, body)
    const authorization = await auth.authorization()
    const body = await bodyOf(request)
    let answer = await send(authorization, body)
    if (answer.statusCode === 401 && body !== request) {
      answer.resume()
      answer = await send(await auth.renewed(answer), body)
    } else if (answer.statusCode === 401) auth.forget()
    // Who is asked, and with what, is between the sidecar and the registry.
    const hidden = { 'www-authenticate': undefined, authorization: undefined, 'set-cookie': undefined }
    await passBack(answer, response, { changes: { ...hidden, location: ownLocation(answer, registry, request) } })
  }
}
