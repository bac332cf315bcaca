import type { AttemptKey } from '#db/queries/unsettled-runs.ts'

/** An attempt as text, to find it by: the same for all that names the same attempt. */
export const attemptName = ({ evaluationId, benchmarkIndex, attempt }: AttemptKey): string => `${evaluationId}/${benchmarkIndex}/${attempt}`
