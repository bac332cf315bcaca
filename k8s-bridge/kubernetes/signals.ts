import type { CoreV1Event } from '@kubernetes/client-node'
import type { BenchmarkTest } from '#shared/models/benchmark-run.ts'
import type { Mark } from '../runtime.ts'
import { PHASE_LABEL } from './labels.ts'
import type { SeenJob } from './seen-objects.ts'

/** What people and operators see of a run on its Job, without asking EvalHub (contract 8.10). */

/** The patch that shows `mark` on the Job. A violated threshold leaves the annotation as the end wrote it. */
export function markPatch({ benchmarkIndex, evaluationId }: SeenJob, mark: Mark, now: Date) {
  const status = { benchmark_index: benchmarkIndex, evaluation_id: evaluationId, phase: mark, timestamp: now.toISOString() }
  const phase = mark === 'ThresholdViolated' ? { ...status, phase: 'Completed' } : status
  return {
    metadata: {
      labels: { [PHASE_LABEL]: mark },
      annotations: { 'trustyai.opendatahub.io/evaluation-status': JSON.stringify(phase) },
    },
  }
}

const REASONS: Partial<Record<Mark, string>> = {
  Running: 'EvaluationRunning',
  Completed: 'EvaluationCompleted',
  Failed: 'EvaluationFailed',
  ThresholdViolated: 'EvaluationThresholdViolated',
}

/** The Kubernetes Event that tells of `mark`; none tells of a run that waits. */
export function markEvent(job: SeenJob, mark: Mark, test: BenchmarkTest | null, now: Date): CoreV1Event | undefined {
  const reason = REASONS[mark]
  if (!reason) return undefined
  return {
    metadata: { generateName: `${job.name}-`, namespace: job.namespace },
    involvedObject: { apiVersion: 'batch/v1', kind: 'Job', name: job.name, namespace: job.namespace, uid: job.uid },
    reason,
    message: mark === 'ThresholdViolated' && test ? violationOf(test) : `benchmark ${job.benchmarkIndex} phase transition: ${mark}`,
    type: mark === 'Failed' || mark === 'ThresholdViolated' ? 'Warning' : 'Normal',
    source: { component: 'evalhub-server' },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  }
}

const violationOf = ({ primary_score_metric: metric, primary_score: actual, threshold }: BenchmarkTest) =>
  `metric=${metric} actual=${actual.toFixed(4)} threshold=${threshold.toFixed(4)}`
