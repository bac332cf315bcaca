import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from '#db/client.ts'
import type { World } from './world.ts'

type Run = { id: string; tenant: string; state: string; attempt: number; acc: number | null; is_settled: boolean }
type Attempt = { id: string; attempt: number; object_uid: string | null; failure_class: string | null; is_ended: boolean }
type Step = { id: string; seq: number; attempt: number; state: string }

const isTerminal = (state: string) => !['pending', 'running'].includes(state)

/** Waits until the bridge owes nothing to anybody, for `withinMs` at most. */
export async function untilSettled({ db, record, played, tenants, deaths }: World, withinMs: number): Promise<void> {
  const deadlineMs = performance.now() + withinMs
  let left: string[] = []
  while (performance.now() < deadlineMs && deaths.length === 0) {
    const open = await openIn(db).catch(() => ['the database is away'])
    left = open.length > 0 ? open : await played.sweep(tenants)
    if (left.length === 0 && [...record.jobs.values()].every(({ isGone }) => isGone)) return
    await delay(250)
  }
  throw new Error(`Not settled: ${left.slice(0, 10).join('; ')}${left.length > 10 ? ` and ${left.length - 10} more` : ''}`)
}

async function openIn(db: Db): Promise<string[]> {
  const rows = await db<{ what: string }[]>`
    select 'run ' || evaluation_id || ' is ' || state || ', attempt ' || attempt || coalesce(', waiting: ' || (waiting ->> 'message'), '') as what
      from evalhub.runs where settled_at is null
    union all select 'queued: ' || evaluation_id || coalesce(', ' || last_error, '') from evalhub.launch_queue
    union all select 'attempt not closed: ' || evaluation_id from evalhub.attempts where ended_at is null
    union all select 'job not purged: ' || id from evalhub.evaluations where deleted_at is not null`
  return rows.map(({ what }) => what)
}

/**
 * Reads the whole history, of the database and of the cluster as it was recorded, and answers every sentence that is wrong about it. `removed` are the jobs
 * that were hard-deleted.
 */
export async function checkHistory(
  { db, record, played }: World,
  submitted: readonly string[],
  removed: ReadonlySet<string>,
): Promise<string[]> {
  const runs = await db<Run[]>`
    select evaluation_id as id, tenant, run.state, attempt, (metrics ->> 'acc')::float8 as acc, settled_at is not null as is_settled
    from evalhub.runs as run join evalhub.evaluations as evaluation on evaluation.id = evaluation_id`
  const attempts = await db<Attempt[]>`
    select evaluation_id as id, attempt, object_uid, failure_class, ended_at is not null as is_ended from evalhub.attempts`
  const steps = await db<Step[]>`
    select evaluation_id as id, seq, attempt, state from evalhub.job_events where benchmark_index is not null order by evaluation_id, seq`
  const uids = Map.groupBy(record.jobs.values(), ({ name }) => name)
  const wrong: string[] = []

  const known = new Set(runs.map(({ id }) => id))
  wrong.push(...submitted.filter((id) => known.has(id) === removed.has(id)).map((id) => `job ${id} is ${known.has(id) ? 'there' : 'lost'}`))
  for (const { id, state, is_settled } of runs) if (!isTerminal(state) || !is_settled) wrong.push(`run ${id} has not ended: ${state}`)
  for (const [name, jobs] of uids) if (jobs.length > 1) wrong.push(`${jobs.length} Jobs were made as ${name}`)
  for (const [name, own] of played.ran) if (own.size > 1) wrong.push(`${own.size} adapters ran as ${name}`)
  wrong.push(
    ...attempts.flatMap((attempt) =>
      judgeAttempt(attempt, uids.get(`evalhub-${attempt.id}-0-${attempt.attempt}`)?.map(({ uid }) => uid) ?? []),
    ),
  )
  for (const [id, own] of Map.groupBy(steps, (step) => step.id)) wrong.push(...judgeSteps(id, own))
  const runOf = new Map(runs.map((run) => [run.id, run]))
  for (const { evaluationId, status, acc } of played.acknowledged) {
    const run = runOf.get(evaluationId)
    if (!run || status !== 'completed') continue
    if (run.state !== 'completed' || run.acc !== acc)
      wrong.push(`result ${acc} of ${evaluationId} was acknowledged, and it is ${run.state} with ${run.acc}`)
  }
  return wrong
}

/** Nobody but the bridge removes Jobs here, and no machine fails: an attempt that was lost was lost by us. */
const OURS = new Set(['vanished', 'launch_failed', 'rejected', 'deadline'])

function judgeAttempt({ id, attempt, object_uid, failure_class, is_ended }: Attempt, uids: readonly string[]): string[] {
  const wrong: string[] = []
  if (!is_ended) wrong.push(`attempt ${attempt} of ${id} is open`)
  if (attempt > 1) wrong.push(`run ${id} has attempt ${attempt}`)
  if (failure_class !== null && OURS.has(failure_class)) wrong.push(`attempt ${attempt} of ${id} is said to have ended as ${failure_class}`)
  if (object_uid && !uids.includes(object_uid))
    wrong.push(`attempt ${attempt} of ${id} is said to have been Job ${object_uid}, and was ${uids.join() || 'none'}`)
  return wrong
}

/** A run goes forward, and what it ended as stays. */
function judgeSteps(id: string, steps: readonly Step[]): string[] {
  const ends = steps.filter(({ state }) => isTerminal(state))
  if (ends.length !== 1) return [`run ${id} ended ${ends.length} times: ${steps.map(({ state }) => state).join(', ')}`]
  return ends[0] === steps.at(-1) ? [] : [`run ${id} went on after its end: ${steps.map(({ state }) => state).join(', ')}`]
}
