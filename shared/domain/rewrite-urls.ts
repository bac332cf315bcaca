import type { EvaluationJobConfig } from '../models/evaluation.ts'
import { parseUrl } from './url-problem.ts'

/** Where the requests go that an adapter sends through its sidecar. What is absent is not known. */
export type Upstreams = {
  /** Base that adapters know the sidecar by, without a slash at its end. */
  sidecarUrl: string
  /** The hub itself, as seen by users. */
  hubUrl?: string
  mlflowUrl?: string
}

/** As in pods, and where nothing else is configured. */
export const DEFAULT_UPSTREAMS: Upstreams = { sidecarUrl: 'http://localhost:8080' }

const HUB_PATH = '/api/v1/evaluations/'
/** Paths that a sidecar passes on to MLflow. */
export const MLFLOW_PATH = /^\/api\/(2\.0\/mlflow|3\.0\/mlflow|2\.0\/mlflow-artifacts)(\/|$)/

type Job = { request: Pick<EvaluationJobConfig, 'model' | 'exports'> }

/**
 * `text` with URLs of the sidecar as those of what is behind it, which users know: the hub, MLflow, the job's OCI registry, else its model.
 *
 * Only scheme and host change. They are taken away where the target is not known. Source: section 3.7 of the published contract.
 */
export function rewriteUrls(text: string, job: Job, upstreams: Upstreams): string {
  const [first = '', ...rest] = text.split(upstreams.sidecarUrl)
  if (rest.length === 0) return first
  const origins = originsOf(job, upstreams)
  return first + rest.map((after) => rewritten(after, origins, upstreams)).join('')
}

/** Where each kind of request goes. Made once a text: it may name the sidecar thousands of times, and what a job names may be long. */
function originsOf({ request }: Job, { hubUrl, mlflowUrl }: Upstreams) {
  const oci = request.exports?.oci?.coordinates
  return {
    hub: originOf(hubUrl),
    mlflow: originOf(mlflowUrl),
    model: originOf(request.model.url),
    ...(oci && {
      oci: { path: `/${oci.oci_repository}`, origin: originOf(oci.oci_host.includes('://') ? oci.oci_host : `https://${oci.oci_host}`) },
    }),
  }
}
type Origins = ReturnType<typeof originsOf>

/** `after`: what stands behind the sidecar's base, up to the next one. */
function rewritten(after: string, origins: Origins, upstreams: Upstreams): string {
  // Another port or host that begins alike, or punctuation: no URL of the sidecar.
  if (!/^([/?#\s]|$)/.test(after)) return upstreams.sidecarUrl + after
  const path = /^[^?#\s]*/.exec(after)?.[0] ?? ''
  const origin = targetOf(path, origins)
  return origin + (origin === '' && path === '' ? '/' : '') + after
}

function targetOf(path: string, { hub, mlflow, oci, model }: Origins): string {
  if (path.startsWith(HUB_PATH)) return hub
  if (MLFLOW_PATH.test(path)) return mlflow
  return oci && isBelow(path.replace(/^\/v2\//, '/'), oci.path) ? oci.origin : model
}

const isBelow = (path: string, base: string) => path.startsWith(base) && (path.length === base.length || path[base.length] === '/')

/** No name of DNS is longer, with a port; a message may name its host thousands of times. */
const MAX_HOST = 260

function originOf(url: string | undefined): string {
  const { protocol, host = '' } = parseUrl(url ?? '') ?? {}
  return host === '' || host.length > MAX_HOST ? '' : `${protocol}//${host}`
}
