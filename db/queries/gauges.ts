import type { EvaluationState } from '#shared/models/states.ts'
import type { Db } from '../client.ts'

/** How things stand in all tenants together: metrics name no tenant. */
export type Standings = {
  /** Jobs that can be read, by state; a state without any may be missing. */
  jobs: Partial<Record<EvaluationState, number>>
  /** Hard-deleted jobs, by the state that they had. */
  deletedJobs: Partial<Record<EvaluationState, number>>
  /** Runs that wait to be launched. */
  queued: number
  /** Time since the first of them was submitted, or was to be tried again; 0 without any. */
  oldestQueuedSeconds: number
  /** Attempts that were launched and have not ended. */
  launched: number
  /** Runs that have ended, and to which the bridge owes something. */
  unsettled: number
}

export async function readStandings(db: Db): Promise<Standings> {
  const [row] = await db<Standings[]>`
    select
      (select coalesce(json_object_agg(state, total), '{}')
        from (select state, sum(total)::float8 as total from evalhub.evaluation_counts group by state) as counts) as jobs,
      (select coalesce(json_object_agg(state, total), '{}') from evalhub.deleted_evaluation_counts) as "deletedJobs",
      (select count(*) from evalhub.launch_queue) as queued,
      coalesce((
        select greatest(extract(epoch from now() - case when attempt = 1 then evaluation.created_at else due_at end), 0)::float8
        from evalhub.launch_queue as queue join evalhub.evaluations as evaluation on evaluation.id = queue.evaluation_id
        order by queue.id limit 1
      ), 0) as "oldestQueuedSeconds",
      (select count(*) from evalhub.attempts where ended_at is null) as launched,
      (select count(*) from evalhub.runs where settled_at is null and finished_at is not null) as unsettled`
  if (!row) throw new Error('a statement that always has a row answered none')
  return row
}

/** A span of the database's clock: after `from`, up to and with `to`. RFC 3339. */
export type Span = { from: string; to: string }

/**
 * The span from `from` to a little before now; without `from`, one without length. What was written in it can be read by now: no transaction
 * of ours is open for as long as `lagSeconds`.
 */
export async function nextSpan(db: Db, from: string | undefined, lagSeconds: number): Promise<Span> {
  const [row] = await db<{ to: string }[]>`select to_json(now() - make_interval(secs => ${lagSeconds})) as to`
  const to = row?.to ?? ''
  return { from: from ?? to, to }
}

export type AttemptEnd = {
  /** Null for an attempt whose adapter reported results, or that a cancel ended. */
  failureClass: string | null
  /** False if it ended before anything was launched for it. */
  isLaunched: boolean
  /** From launch to end. */
  seconds: number
}

/** Attempts that ended in a span. */
export const listAttemptEnds = (db: Db, { from, to }: Span): Promise<AttemptEnd[]> => db<AttemptEnd[]>`
  select failure_class as "failureClass", object_uid is not null as "isLaunched", extract(epoch from ended_at - launched_at)::float8 as seconds
  from evalhub.attempts where ended_at > ${from} and ended_at <= ${to}`

/** How long the first attempts that were launched in a span had waited since their submit, in seconds. */
export async function listLaunchWaits(db: Db, { from, to }: Span): Promise<number[]> {
  const rows = await db<{ seconds: number }[]>`
    select greatest(extract(epoch from launched_at - evaluation.created_at), 0)::float8 as seconds
    from evalhub.attempts as attempt join evalhub.evaluations as evaluation on evaluation.id = attempt.evaluation_id
    where launched_at > ${from} and launched_at <= ${to} and attempt = 1 and object_uid is not null`
  return rows.map(({ seconds }) => seconds)
}
