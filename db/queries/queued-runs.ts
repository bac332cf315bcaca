import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { Db } from '../client.ts'
import type { AttemptKey } from './unsettled-runs.ts'

export type QueuedRun = AttemptKey & { queueId: number; spec: RunSpec }

/** Up to `limit` runs that wait to be launched, due or not, in the order in which they came, after the row `afterId`. */
export async function listQueuedRuns(db: Db, afterId: number, limit: number): Promise<QueuedRun[]> {
  return db<QueuedRun[]>`
    select queue.id as "queueId", queue.evaluation_id as "evaluationId", queue.benchmark_index as "benchmarkIndex", queue.attempt, run.spec
    from evalhub.launch_queue as queue
      join evalhub.runs as run on run.evaluation_id = queue.evaluation_id and run.benchmark_index = queue.benchmark_index
    where queue.id > ${afterId}
    order by queue.id limit ${limit}`
}
