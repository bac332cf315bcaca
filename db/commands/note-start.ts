import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'

/** Where an attempt runs, and with what. */
export type StartedAttempt = AttemptKey & {
  node: string
  /** By the database's clock, which is the one that deadlines are kept with. */
  startedSecondsAgo: number
  /** `{ requests, limits }` of the adapter's container. */
  resources: Record<string, unknown>
}

/** Records, once, that attempts are on a machine. */
export async function noteStart(db: Db, attempts: readonly StartedAttempt[]): Promise<void> {
  if (attempts.length === 0) return
  await db`
    update evalhub.attempts as attempt
    set node = given.node, resources = given.resources, started_at = now() - make_interval(secs => "startedSecondsAgo")
    from jsonb_to_recordset(${json(db, attempts)}) as given
      ("evaluationId" uuid, "benchmarkIndex" int, attempt smallint, node text, "startedSecondsAgo" float8, resources jsonb)
    where attempt.evaluation_id = "evaluationId" and attempt.benchmark_index = "benchmarkIndex" and attempt.attempt = given.attempt
      and attempt.started_at is null`
}
