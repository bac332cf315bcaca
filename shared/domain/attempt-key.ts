/** Names one attempt: one try of a run. */
export type AttemptKey = {
  /** Id of the evaluation job. */
  evaluationId: string
  benchmarkIndex: number
  /** From 1. */
  attempt: number
}

/** Of something that names an attempt, the name alone. */
export const attemptKey = ({ evaluationId, benchmarkIndex, attempt }: AttemptKey): AttemptKey => ({ evaluationId, benchmarkIndex, attempt })

/** An attempt as text, to find it by. */
export const attemptName = ({ evaluationId, benchmarkIndex, attempt }: AttemptKey): string => `${evaluationId}/${benchmarkIndex}/${attempt}`

/** What the names of all Jobs begin with. */
export const JOB_NAME_PREFIX = 'evalhub-'

/**
 * Name of the Kubernetes Job of an attempt, which its pod's, its ConfigMap's and its Secret's begin with: at most 63 characters with the longest
 * suffix, for indices and attempts of up to 7 digits together. Made of the row alone, so that launching twice finds what is there.
 */
export const jobName = ({ evaluationId, benchmarkIndex, attempt }: AttemptKey): string =>
  `${JOB_NAME_PREFIX}${evaluationId}-${benchmarkIndex}-${attempt}`
