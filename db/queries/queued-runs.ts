import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { Db } from '../client.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'

export type QueuedRun = AttemptKey & { queueId: number; spec: RunSpec }

/** Up to `limit` runs that have been due for `dueSeconds`, in the order in which they came, after the row `afterId`. */
export async function listQueuedRuns(
  db: Db,
  afterId: number,
  { limit, dueSeconds }: { limit: number; dueSeconds: number },
): Promise<QueuedRun[]> {
  return db<QueuedRun[]>`
    select queue.id as "queueId", queue.evaluation_id as "evaluationId", queue.benchmark_index as "benchmarkIndex", queue.attempt, run.spec
    from evalhub.launch_queue as queue
      join evalhub.runs as run on run.evaluation_id = queue.evaluation_id and run.benchmark_index = queue.benchmark_index
    where queue.id > ${afterId} and queue.due_at <= statement_timestamp() - make_interval(secs => ${dueSeconds})
    order by queue.id limit ${limit}`
}
