import type { V1Container, V1PodTemplateSpec } from '@kubernetes/client-node'
import { Refusal, type ApiObject, type Place, type Store } from './test-api-store.ts'

/** What the API server does to an object before it keeps it, as far as EvalHub’s objects need it; else a refusal in its words. */
export function admit(store: Store, place: Place, object: ApiObject): ApiObject {
  const { kinds, namespace } = place
  if (namespace !== '' && !store.find({ kinds: 'namespaces', namespace: '' }, namespace)) {
    throw new Refusal(404, 'NotFound', `namespaces "${namespace}" not found`)
  }
  const admitted = PREPARED[kinds]?.(object) ?? object
  for (const quota of store.list({ kinds: 'resourcequotas', namespace })) keepTo(quota, place, object)
  return admitted
}

const PREPARED: Record<string, (object: ApiObject) => ApiObject> = {
  secrets({ stringData, data, ...secret }) {
    const encoded = Object.entries((stringData ?? {}) as Record<string, string>).map(([key, value]) => [key, btoa(value)])
    return { ...secret, data: { ...(data as object), ...Object.fromEntries(encoded) } }
  },
  configmaps(map) {
    const bytes = Object.values((map['data'] ?? {}) as Record<string, string>).reduce((sum, value) => sum + Buffer.byteLength(value), 0)
    if (bytes > MIB)
      throw new Refusal(422, 'Invalid', `ConfigMap "${map.metadata.name}" is invalid: []: Too long: may not be more than ${MIB} bytes`)
    return map
  },
  pods: (pod) => ({ ...pod, status: { phase: 'Pending', qosClass: 'Burstable' } }),
  'jobs.batch': (job) => ({ ...job, status: {} }),
}
const MIB = 1024 * 1024

/** The labels by which a Job is known to its pods hold its uid, so that they come once it has one. */
export function withSelector(job: ApiObject): ApiObject {
  const { name, uid } = job.metadata
  const template = job.spec?.['template'] as V1PodTemplateSpec
  refuseTooMuchCpu(name, template.spec?.containers ?? [])
  const own = { 'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': name, 'controller-uid': uid, 'job-name': name }
  const labels = { ...template.metadata?.labels, ...own }
  const selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } }
  return { ...job, spec: { ...job.spec, selector, template: { ...template, metadata: { ...template.metadata, labels } } } }
}

function refuseTooMuchCpu(name: string, containers: readonly V1Container[]): void {
  for (const [at, { resources }] of containers.entries()) {
    const [request, limit] = [resources?.requests?.['cpu'], resources?.limits?.['cpu']]
    if (request === undefined || limit === undefined || cores(request) <= cores(limit)) continue
    const field = `spec.template.spec.containers[${at}].resources.requests`
    throw new Refusal(
      422,
      'Invalid',
      `Job.batch "${name}" is invalid: ${field}: Invalid value: "${request}": must be less than or equal to cpu limit of ${limit}`,
    )
  }
}

const cores = (quantity: string) => (quantity.endsWith('m') ? Number(quantity.slice(0, -1)) / 1000 : Number(quantity))

/** Of quotas those that count objects. Like the server, it believes what the quota's status says is used. */
function keepTo({ metadata, status }: ApiObject, { kinds }: Place, object: ApiObject): void {
  const counted = `count/${kinds}`
  const { hard, used = {} } = (status ?? {}) as { hard?: Record<string, string>; used?: Record<string, string> }
  const [limit, taken = '0'] = [hard?.[counted], used[counted]]
  if (limit === undefined || Number(taken) + 1 <= Number(limit)) return
  const words = `exceeded quota: ${metadata.name}, requested: ${counted}=1, used: ${counted}=${taken}, limited: ${counted}=${limit}`
  throw new Refusal(403, 'Forbidden', `${kinds} "${object.metadata.name}" is forbidden: ${words}`)
}
