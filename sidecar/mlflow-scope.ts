import type { IncomingMessage } from 'node:http'
import { HubError } from '#shared/errors.ts'
import { strayOf } from './artifact-path.ts'
import { decodedFully } from './decode-fully.ts'

/**
 * What adapters do in MLflow, by the path below `/api/2.0/mlflow/` or `/api/3.0/mlflow/`; `*` is one segment. Source: the endpoints of the
 * stores of MLflow's Python client (3.17), without what administers: users, roles, permissions, workspaces, the gateway with its secrets,
 * webhooks, jobs, and the deletion of experiments, registered models and their versions.
 */
const OPERATIONS = [
  'server-(info|features)',
  'experiments/(create|delete-experiment-tag|get|get-by-name|list|search|set-experiment-tag|update)',
  'runs/(create|delete|delete-tag|get|log-batch|log-inputs|log-metric|log-model|log-parameter|outputs|restore|search|set-tag|update)',
  'metrics/get-history(-bulk|-bulk-interval)?',
  'artifacts/(list|presigned-download-url|presigned-upload-url)',
  'logged-models(/*)?',
  'logged-models/*/(artifacts/directories|params|tags|tags/*)',
  'traces(/*)?',
  'traces/*/(assessments|assessments/*|info|tags)',
  'datasets/*',
  'datasets/*/(add-experiments|experiment-ids|records|remove-experiments|tags|tags/*)',
  'registered-models/(alias|create|delete-tag|get|get-latest-versions|search|set-tag|update)',
  'model-versions/(create|delete-tag|get|get-download-uri|search|set-tag|transition-stage|update)',
]
const TRACKING = new RegExp(`^/api/[23]\\.0/mlflow/(${OPERATIONS.map((path) => path.replaceAll('*', '[^/]+')).join('|')})$`)
const ARTIFACTS = /^\/api\/2\.0\/mlflow-artifacts\/(artifacts|mpu\/(create|complete|abort)|presigned)(\/(?<path>.*))?$/
const WORKSPACE = /^\/api\/[23]\.0\/mlflow\/workspaces\/(?<name>[^/]+)$/
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** Refuses with `forbidden` what no adapter needs of MLflow and the token may do, and what names another workspace than the run's. */
export function requireTracking({ method = 'GET', url = '/' }: IncomingMessage, workspace: string | undefined): void {
  const [path = '', query = ''] = url.split(/\?(.*)/s)
  const artifacts = ARTIFACTS.exec(path)
  const isOwnWorkspace = workspace !== undefined && WORKSPACE.exec(path)?.groups?.name === encodeURIComponent(workspace)
  const isRead = method === 'GET' || method === 'HEAD'
  if (!METHODS.includes(method) || !(artifacts || TRACKING.test(path) || (isOwnWorkspace && isRead))) {
    const what = 'experiments, runs, metrics, artifacts, logged models, traces, data sets and registered models'
    throw refused(`An adapter keeps ${what} in MLflow and does nothing else there: not ${method} ${shown(path)}`)
  }
  if (!artifacts || workspace === undefined) return
  for (const named of [decodeURIComponent(artifacts.groups?.path ?? ''), ...pathsIn(query)]) {
    const stray = strayOf(named, workspace)
    const where = `The artifacts of this run are in the workspace ${shown(workspace)}`
    if (stray === 'elsewhere') throw refused(`${where}, and not in ${shown(named)}`)
    if (stray) throw refused(`${where}, and ${shown(named)} may be read as another path than it seems: name artifacts plainly`)
  }
}

/** Each path that a query names, in whatever spelling, whether `;` parts its members or not. */
function pathsIn(query: string): string[] {
  const members = [query, query.replaceAll(';', '&')].flatMap((text) => [...new URLSearchParams(text)])
  return members.flatMap(([name, value]) => (/^\W*path\W*$/i.test(decodedFully(name)?.normalize('NFKC') ?? 'path') ? [value] : []))
}

const shown = (text: string) => JSON.stringify(text.slice(0, 200))
const refused = (why: string) => HubError.of('forbidden', { Error: `${why}.` })
