import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { Attempt } from './attempt.ts'
import type { KubernetesSettings } from './settings.ts'

/** Id of the hub that made the object. */
export const HUB_LABEL = 'eval-hub.github.io/hub'
const ATTEMPT_LABEL = 'eval-hub.github.io/attempt'
const BENCHMARK_ANNOTATION = 'eval-hub.github.io/benchmark_id'
/** Phase of the run, for those who watch Jobs: `Pending` at creation. Changed on the Job only. */
export const PHASE_LABEL = 'trustyai.opendatahub.io/evaluation-phase'
/** Set once the evidence of an ended Job is kept. */
export const SEALED_LABEL = 'eval-hub.github.io/sealed'
/** Kueue's queue that a Job waits in. */
export const QUEUE_LABEL = 'kueue.x-k8s.io/queue-name'

type Labels = Record<string, string>

/** A label's value for any text: what differs in case or in odd characters may become equal, so labels find objects and annotations name things. */
export function labelValue(text: string): string {
  const value = text.toLowerCase().replaceAll(/[^a-z0-9\-_.]/g, '-')
  return value.slice(0, 63).replaceAll(/^[-_.]+|[-_.]+$/g, '') || 'x'
}

/** The labels of everything that is made for an attempt (contract 8.2, hub and attempt added). */
export function labelsFor({ evaluationId, benchmarkIndex, attempt, spec }: Attempt, settings: KubernetesSettings): Labels {
  const { hubId, instanceName, namespace } = settings
  return {
    app: 'evalhub',
    component: 'evaluation-job',
    job_id: labelValue(evaluationId),
    provider_id: labelValue(spec.provider_id),
    benchmark_id: labelValue(spec.benchmark_id),
    benchmark_index: String(benchmarkIndex),
    [PHASE_LABEL]: 'Pending',
    [HUB_LABEL]: hubId,
    [ATTEMPT_LABEL]: String(attempt),
    ...(instanceName && { evalhub_instance_name: labelValue(instanceName), evalhub_instance_namespace: labelValue(namespace) }),
  }
}

/** The names as they are, beside the labels. */
export function annotationsFor({ evaluationId, spec }: Attempt): Labels {
  return {
    'eval-hub.github.io/job_id': evaluationId,
    'eval-hub.github.io/provider_id': spec.provider_id,
    [BENCHMARK_ANNOTATION]: spec.benchmark_id,
  }
}

/** The id of the benchmark that an object with these annotations was made for; empty if they do not say. */
export const benchmarkIdOf = (annotations: Readonly<Labels> | undefined): string => annotations?.[BENCHMARK_ANNOTATION] ?? ''

/** True for an object that this hub made. */
export const isOfHub = (labels: Readonly<Labels> | undefined, hubId: string): boolean => labels?.[HUB_LABEL] === hubId

/** Which attempt an object with these labels was made for, by whatever hub; undefined if for none. */
export function attemptOf(labels: Readonly<Labels> | undefined): AttemptKey | undefined {
  const { job_id: evaluationId, benchmark_index: index, [ATTEMPT_LABEL]: attempt } = labels ?? {}
  if (!evaluationId || !isNumber(index) || !isNumber(attempt)) return undefined
  return { evaluationId, benchmarkIndex: Number(index), attempt: Number(attempt) }
}

const isNumber = (text: string | undefined): text is string => /^\d{1,9}$/.test(text ?? '')
