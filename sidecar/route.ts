import { MLFLOW_PATH } from '#shared/domain/rewrite-urls.ts'

/** Who answers a request of the adapter. */
export type Route = 'health' | 'hub' | 'mlflow' | 'oci' | 'model' | 'malformed'

/**
 * By the path as it was sent, in the order of the published sidecar; what nobody else takes is the model's.
 *
 * `malformed`: a whole URL, or a path with `.` or `..` segments, which a server behind might read as another path than the one looked at here.
 */
export function routeOf(target: string, ociRepository?: string): Route {
  const path = target.replace(/[?#].*$/s, '')
  if (!path.startsWith('/') || /(^|[/\\])(\.|%2e){1,2}([/\\]|%2f|%5c|$)|(%2f|%5c)(\.|%2e){1,2}([/\\]|%2f|%5c|$)/i.test(path))
    return 'malformed'
  if (path === '/health') return 'health'
  if (path.startsWith('/api/v1/evaluations/')) return 'hub'
  if (MLFLOW_PATH.test(path)) return 'mlflow'
  return ociRepository !== undefined && isOciPath(path, ociRepository) ? 'oci' : 'model'
}

/** The registry's root, by which clients find out what it speaks, and all that names the repository at its beginning or right after `v2`. */
function isOciPath(path: string, repository: string): boolean {
  if (path === '/v2/') return true
  const wanted = `/${repository.replace(/^\/+|(?<!\/)\/+$/g, '')}/`
  return `${path}/`.startsWith(wanted) || `${path}/`.includes(`/v2${wanted}`)
}
