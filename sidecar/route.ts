import { MLFLOW_PATH } from '#shared/domain/rewrite-urls.ts'

/** Who answers a request of the adapter. */
export type Route = 'health' | 'hub' | 'mlflow' | 'oci' | 'model' | 'malformed'

/**
 * By the path, in the order of the published sidecar; what nobody else takes is the model's.
 *
 * `malformed`: a whole URL, and a path that a server behind might read as another than the one looked at here. That is one with an empty
 * segment or one of dots, however it is encoded or given parameters (`;`), with a backslash, a control character, a percent sign that begins
 * no octet of UTF-8, or an encoding in an encoding; and one that belongs elsewhere once it is decoded. Beside a credential that the adapter
 * does not have, no slash is encoded either.
 */
export function routeOf(target: string, ociRepository?: string): Route {
  const path = target.replace(/\?.*$/s, '')
  const decoded = decode(path)
  if (decoded === undefined || !isPlain(path) || !isPlain(decoded)) return 'malformed'
  const route = serviceOf(path, ociRepository)
  if (serviceOf(withoutParameters(decoded), ociRepository) !== route) return 'malformed'
  return route !== 'model' && /%2f/i.test(path) ? 'malformed' : route
}

/** Joiners, hyphens that may be, marks of direction, variants, tags, fillers: some readers leave them out. */
export const UNSEEN = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu

/**
 * As a server may read a path: with its octets as text, letters that only look like others as those, and without signs that nobody sees.
 * Undefined for what is no such path.
 */
function decode(path: string): string | undefined {
  if (!/^\/[\x21-\x7e]*$/.test(path) || path.includes('#')) return undefined
  try {
    const text = decodeURIComponent(path).normalize('NFKC').replaceAll(UNSEEN, '')
    return /%[0-9a-f]{2}/i.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

/** No segment but the last is empty, and none is of dots, with parameters or without. */
function isPlain(path: string): boolean {
  if (/[\\\p{Cc}]/u.test(path)) return false
  const segments = path.slice(1).split('/')
  return segments.every((segment, at) => {
    const name = segment.replace(/;.*$/s, '')
    return name === '' ? segment === '' && at === segments.length - 1 : !/^[.\s]+$/.test(name)
  })
}

/** Where what stands behind `;`, `?` or `#` is cut off. */
const withoutParameters = (path: string) => path.replace(/[?#].*$/s, '').replace(/;[^/]*/g, '')

function serviceOf(path: string, ociRepository: string | undefined): Route {
  if (path === '/health') return 'health'
  if (path.startsWith('/api/v1/evaluations/')) return 'hub'
  if (MLFLOW_PATH.test(path)) return 'mlflow'
  return ociRepository !== undefined && isOciPath(path, ociRepository) ? 'oci' : 'model'
}

/** The registry's root, by which clients find out what it speaks, and all that names the repository at its beginning or right after its first `v2`. */
function isOciPath(path: string, repository: string): boolean {
  if (path === '/v2/') return true
  const wanted = repository.split('/').filter((segment) => segment !== '')
  const asked = path.slice(1).split('/')
  const isAt = (start: number) => wanted.every((segment, at) => asked[start + at] === segment)
  return wanted.length > 0 && (isAt(0) || (asked.includes('v2') && isAt(asked.indexOf('v2') + 1)))
}
