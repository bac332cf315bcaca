import { HubError } from '#shared/errors.ts'
import type { Db, Pool } from '../client.ts'
import { json } from '../json.ts'
import type { TenantScope } from '../scope.ts'
import { decided, undecided, type DecidedJob, type Decision, type LockedEvaluation, type LockedRun } from './decision.ts'
import { writeDecisions } from './write-decisions.ts'

/** Its transaction is for what a decision must know beside its runs. */
export type Decide = (
  evaluation: LockedEvaluation,
  runs: readonly LockedRun[],
  tx: Db,
) => Decision | undefined | Promise<Decision | undefined>

export type RunChange = { scope: TenantScope; evaluationId: string; decide: Decide }

/** Undefined: there is no such evaluation in the change's scope. */
type Answer = Decision | 'unchanged' | undefined

/**
 * The one way in which runs change state: locks the evaluation, then its runs by index, asks `decide`, derives the job's state, scores it
 * once all is over, and writes everything in one transaction.
 *
 * `decide` writes nothing: it refuses by throwing, and undefined means that nothing shall change. Undefined comes back if `scope` has no such evaluation:
 * of another tenant's nothing is read or locked.
 */
export async function changeRuns(db: Pool, scope: TenantScope, evaluationId: string, decide: Decide): Promise<Answer> {
  const [answer] = await changeRunsTogether(db, [{ scope, evaluationId, decide }])
  if (answer instanceof HubError) throw answer
  return answer
}

/**
 * As `changeRuns`, several changes in one transaction: locks the evaluations by id, then their runs by id and index, and decides one change after the
 * other, in their order, each on what those before it leave. A change that is refused has its refusal as its answer and keeps none of the others
 * from being written.
 */
export async function changeRunsTogether(db: Pool, changes: readonly RunChange[]): Promise<(Answer | HubError)[]> {
  return db.begin(async (tx) => {
    const jobs = await lock(tx, changes)
    const answers: (Answer | HubError)[] = []
    for (const { scope, evaluationId, decide } of changes) {
      const job = jobs.get(evaluationId.toLowerCase())
      if (!job || !(scope.everyTenant || scope.tenant === job.evaluation.tenant)) {
        answers.push(undefined)
        continue
      }
      const decision = await decisionOf(decide, job, tx)
      if (decision && !(decision instanceof HubError)) jobs.set(job.evaluation.id, decided(job, decision))
      answers.push(decision ?? 'unchanged')
    }
    const changed = [...jobs.values()].filter(({ decisions }) => decisions > 0)
    if (changed.length > 0) await writeDecisions(tx, changed)
    return answers
  })
}

async function decisionOf(decide: Decide, { evaluation, runs }: DecidedJob, tx: Db): Promise<Decision | HubError | undefined> {
  try {
    return await decide(evaluation, runs, tx)
  } catch (error) {
    if (error instanceof HubError) return error
    throw error
  }
}

/** The jobs that the changes are about, by id. */
async function lock(tx: Db, changes: readonly RunChange[]): Promise<Map<string, DecidedJob>> {
  const ofAnyTenant = new Set(changes.filter(({ scope }) => scope.everyTenant).map(({ evaluationId: id }) => id.toLowerCase()))
  const targets = json(
    tx,
    // Of one job no two may find the same runs.
    changes.map(({ scope, evaluationId: id }) => (ofAnyTenant.has(id.toLowerCase()) ? { id } : { id, tenant: scope.tenant })),
  )
  // Sent together and carried out in this order, so everybody locks evaluations first.
  const [evaluations, runs] = await Promise.all([lockEvaluations(tx, targets), lockRuns(tx, targets)])
  const runsById = Map.groupBy(runs, ({ evaluation_id: id }) => id)
  return new Map(
    evaluations.map((evaluation) => {
      const own = (runsById.get(evaluation.id) ?? []).map(({ evaluation_id: _, ...run }) => run)
      return [evaluation.id, undecided(evaluation, own)]
    }),
  )
}

type Targets = ReturnType<typeof json>

const inOrder = (tx: Db, targets: Targets) => tx`
  (select distinct id, tenant from jsonb_to_recordset(${targets}) as target (id uuid, tenant text) order by id) as target`

const isTarget = (tx: Db) => tx`id = target.id and (target.tenant is null or tenant = target.tenant)`

// Lateral, so that each row is found by its key: the planner takes the targets for many, and would read whole tables.
const lockEvaluations = (tx: Db, targets: Targets) => tx<LockedEvaluation[]>`
  select job.* from ${inOrder(tx, targets)} cross join lateral (
    select id, tenant, state, aggregate_threshold, to_json(cancelled_at) as cancelled_at, to_json(deleted_at) as deleted_at, last_seq,
      footprint
    from evalhub.evaluations where ${isTarget(tx)} for update
  ) as job`

/** A snapshot without what `JudgedSpec` leaves out, which the database then need not send. */
const judgedSpec = (tx: Db) => tx`
  (spec - '{runtime,parameters,hardware_config,test_data_ref}'::text[])
    || case when spec ? 'test_data_ref' then '{"test_data_ref":{}}'::jsonb else '{}'::jsonb end`

const lockRuns = (tx: Db, targets: Targets) => tx<(LockedRun & { evaluation_id: string })[]>`
  select run.* from ${inOrder(tx, targets)} cross join lateral (
    select evaluation_id, benchmark_index, provider_id, benchmark_id, ${judgedSpec(tx)} as spec, attempt, state, phase, progress, error_message, warning_message,
      started_at, completed_at, test, resolved_sha, waiting
    from evalhub.runs where evaluation_id = (select id from evalhub.evaluations where ${isTarget(tx)})
    order by benchmark_index for update
  ) as run`
