import type { Excess, Quotas } from '#shared/domain/quota.ts'
import { remarksMessage } from '#shared/domain/request-remarks.ts'
import { effectiveParameters, SHOWN_PARAMETERS_MAX } from '#shared/domain/resolved-request.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { EvaluationJob, EvaluationJobConfig } from '#shared/models/evaluation.ts'
import type { Message } from '#shared/models/message.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import { toJob, type JobRow } from '../rows.ts'
import type { Scope } from '../scope.ts'
import { accepting, refusalToExcess, type Refusal } from './accept-jobs.ts'
import type { Idempotency } from './claim-key.ts'

export type NewEvaluation = {
  /** UUIDv7, made by the caller. */
  id: string
  scope: Scope
  request: EvaluationJobConfig
  /** One a run, in the order of `benchmark_index`; never empty. */
  specs: readonly RunSpec[]
  aggregateThreshold: number
  collectionUpdatedAt: string | null
  /** `snapshotsLength` of the specs. */
  snapshots: number
  /** `newJobFootprint` of the request. */
  footprint: number
  /** Creates nothing if the tenant has used the key. */
  idempotency: Idempotency | undefined
}

const CREATED: Message = { message: 'Evaluation job created', message_code: 'evaluation_job_created', message_origin: 'server' }

/** What became of a job: how it is now, or which quota its tenant has used up; undefined if its idempotency key was used before. */
export type Creation = { job: EvaluationJob } | { excess: Excess } | undefined

type How = {
  /** Absent: there are none. */
  quotas?: Quotas | undefined
  /** True: as if they were deleted, so that they do not count, until somebody shows them. */
  isHidden?: boolean
}

/**
 * Stores jobs, their runs with snapshots, and one queue row a run, in one statement: all of it is kept, or nothing.
 *
 * Answers in the order of the input. One whose idempotency key was used before is not stored, nor one that its tenant has no quota left for;
 * neither counts, and neither keeps another from being stored. Submits of one tenant are judged one after the other, whichever process they came to, so together
 * they take no more than there is.
 */
export async function createEvaluations(
  db: Db,
  inputs: readonly NewEvaluation[],
  { quotas, isHidden = false }: How = {},
): Promise<Creation[]> {
  const rows = await db<CreatedRow[]>`
    with input as (
      select * from jsonb_to_recordset(${json(db, inputs.map(toInput))}) as job (
        at int, id uuid, tenant text, owner text, name text, tags jsonb, message jsonb, request jsonb, experiment text,
        aggregate_threshold float8, collection_updated_at text, footprint int, open_runs int, stored_bytes bigint, runs jsonb,
        idempotency_key text, body_hash text
      )
    ) ${accepting(db, quotas)}, input_runs as (
      select accepted.id, accepted.tenant, run.*
      from accepted, jsonb_to_recordset(accepted.runs) as run (benchmark_index int, provider_id text, benchmark_id text, spec jsonb)
    ), new_runs as (
      insert into evalhub.runs (evaluation_id, benchmark_index, provider_id, benchmark_id, spec)
      select id, benchmark_index, provider_id, benchmark_id, spec from input_runs
    ), queued as (
      insert into evalhub.launch_queue (tenant, evaluation_id, benchmark_index, attempt)
      select tenant, id, benchmark_index, 1 from input_runs order by id, benchmark_index
    ), created as (
      insert into evalhub.evaluations (
        id, tenant, owner, name, tags, message, request, experiment, aggregate_threshold, collection_updated_at, footprint, open_runs, stored_bytes,
        deleted_at
      )
      select
        id, tenant, owner, name, tags, message, request, experiment, aggregate_threshold, collection_updated_at, footprint, open_runs, stored_bytes,
        case when ${isHidden}::boolean then now() end
      from accepted
      returning id, to_json(created_at) as created_at
    )
    select id, created_at, null as quota, null::bigint as used, null::int as wait_seconds from created
    ${quotas ? db`union all select job_id, null, quota, used, wait_seconds from rejected where quota is not null` : db``}`

  const byId = new Map(rows.map((row) => [row.id, row]))
  return inputs.map((input) => {
    const row = byId.get(input.id)
    if (!row) return undefined
    if (row.quota === null) return { job: answer(input, row.created_at) }
    // Without quotas nothing is refused.
    return quotas && { excess: refusalToExcess(takenBy(input), row, quotas) }
  })
}

type CreatedRow = { id: string } & ({ quota: null; created_at: string } | Refusal)

/** What a job takes of its tenant's quotas. */
export const takenBy = ({ specs, footprint, snapshots }: NewEvaluation) => ({ runs: specs.length, bytes: footprint + snapshots })

function toInput(input: NewEvaluation, at: number) {
  const { id, scope, request, specs, aggregateThreshold, collectionUpdatedAt, footprint, idempotency } = input
  const { runs, bytes } = takenBy(input)
  return {
    at,
    id,
    tenant: scope.tenant,
    owner: scope.user,
    name: request.name,
    tags: request.tags ?? [],
    message: CREATED,
    request,
    experiment: request.experiment?.name ?? null,
    aggregate_threshold: aggregateThreshold,
    collection_updated_at: collectionUpdatedAt,
    footprint,
    open_runs: runs,
    stored_bytes: bytes,
    idempotency_key: idempotency?.key ?? null,
    body_hash: idempotency?.bodyHash ?? null,
    runs: specs.map((spec, index) => ({ ...identity(spec), benchmark_index: index, spec })),
  }
}

const identity = ({ provider_id, benchmark_id }: RunSpec) => ({ provider_id, benchmark_id })

/** What a read would answer, without reading; the contract leaves `updated_at` out here. */
function answer(input: NewEvaluation, createdAt: string): EvaluationJob {
  const row: JobRow = {
    id: input.id,
    tenant: input.scope.tenant,
    owner: input.scope.user,
    state: 'pending',
    message: CREATED,
    request: input.request,
    created_at: createdAt,
    updated_at: createdAt,
    score: null,
    passed: null,
    aggregate_threshold: input.aggregateThreshold,
    collection_updated_at: input.collectionUpdatedAt,
    age_seconds: 0,
    bridge_seen_seconds_ago: null,
    runs: [],
  }
  const job = toJob(row)
  const { updated_at: _, ...resource } = job.resource
  const isShown = areShown(input.specs)
  const benchmarks = input.specs.map((spec, index) => ({
    provider_id: spec.provider_id,
    id: spec.benchmark_id,
    benchmark_index: index,
    status: 'pending' as const,
    ...(spec.remarks && { warning_message: remarksMessage(spec.remarks) }),
    ...(isShown && { effective_parameters: effectiveParameters(spec) }),
  }))
  return { ...job, resource, status: { ...job.status, benchmarks } }
}

/** Whether the parameters of the runs are short enough to be shown. No more of them is looked at than tells it. */
function areShown(specs: readonly RunSpec[]): boolean {
  let characters = 0
  return specs.every(({ parameters }) => (characters += JSON.stringify(parameters).length) <= SHOWN_PARAMETERS_MAX)
}
