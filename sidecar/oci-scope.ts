import type { IncomingMessage } from 'node:http'
import { HubError } from '#shared/errors.ts'
import { decodedFully } from './decode-fully.ts'

/**
 * What pushing and pulling artifacts takes, by the path below the repository. Source: OCI distribution specification 1.1, without what
 * deletes; one segment each, since a registry looks for the repository's end from behind.
 */
const OPERATIONS: readonly { path: RegExp; methods: readonly string[] }[] = [
  { path: /^manifests\/[^/]+$/, methods: ['GET', 'HEAD', 'PUT'] },
  { path: /^blobs\/[^/]+$/, methods: ['GET', 'HEAD'] },
  { path: /^blobs\/uploads?(\/[^/]*)?$/, methods: ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE'] },
  { path: /^(tags\/list|referrers\/[^/]+)$/, methods: ['GET', 'HEAD'] },
]

/** True for the bytes of a blob, which the registry must not read as anything else. */
const isUpload = (path: string) => /\/blobs\/uploads?(\/[^/]*)?$/.test(path)

/**
 * Request headers that change so that a registry reads a request as it is judged here. Refuses with `forbidden` what pushing to and pulling
 * from `repository` does not need, which the credentials may do and the adapter may not.
 */
export function scopedToRepository({ method = 'GET', url = '/', rawHeaders }: IncomingMessage, repository: string): Record<string, string> {
  const path = url.replace(/\?.*$/s, '')
  const base = `/v2/${repository.split('/').filter(Boolean).join('/')}/`
  const below = path.startsWith(base) ? path.slice(base.length) : undefined
  const isAllowed =
    below === undefined
      ? path === '/v2/' && ['GET', 'HEAD'].includes(method)
      : OPERATIONS.some(({ path: allowed, methods }) => allowed.test(below) && methods.includes(method))
  if (!isAllowed) throw refused(repository, 'pushes and pulls manifests and blobs there, lists tags and referrers, and does nothing else')
  if (readsElsewhere(url, repository)) throw refused(repository, 'mounts nothing from another')
  if (isUpload(path)) return { 'content-type': 'application/octet-stream' }
  if (hasForm(rawHeaders)) throw refused(repository, 'sends no forms, in which a registry looks for more than the address says')
  return {}
}

const refused = (repository: string, what: string) =>
  HubError.of('forbidden', { Error: `An adapter reads and writes the repository ${repository}: it ${what}.` })

/** True if the registry is to bring what is in another repository, in whatever spelling of `mount` and `from`. */
function readsElsewhere(url: string, repository: string): boolean {
  const query = [...new URLSearchParams(url.replace(/^[^?]*/, '').replaceAll(';', '&'))]
  const asked = (wanted: string) => query.filter(([name]) => lettersOf(decodedFully(name) ?? wanted) === wanted).map(([, value]) => value)
  const from = asked('from')
  return from.some((name) => name !== repository) || (asked('mount').length > 0 && from.length === 0)
}

const lettersOf = (name: string) =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, '')

function hasForm(rawHeaders: string[]): boolean {
  const types = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'content-type')
  return types.length > 1 || types.some((type) => /form|multipart/i.test(type))
}
