import type { Excess, QuotaName, Quotas } from '#shared/domain/quota.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { EvaluationJob, EvaluationJobConfig } from '#shared/models/evaluation.ts'
import type { Message } from '#shared/models/message.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import { toJob, type JobRow } from '../rows.ts'
import type { Scope } from '../scope.ts'
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
  const isAdmitted = quotas ? db`and id not in (select job_id from refused)` : db``
  const rows = await db<CreatedRow[]>`
    with input as (
      select * from jsonb_to_recordset(${json(db, inputs.map(toInput))}) as job (
        at int, id uuid, tenant text, owner text, name text, tags jsonb, message jsonb, request jsonb, experiment text,
        aggregate_threshold float8, collection_updated_at text, footprint int, open_runs int, stored_bytes bigint, runs jsonb,
        idempotency_key text, body_hash text
      )
    ) ${quotas ? judged(db, quotas) : db``}, claimed as (
      insert into evalhub.idempotency_keys (tenant, route, key, body_hash, resource_id)
      select tenant, 'jobs', idempotency_key, body_hash, id from input where idempotency_key is not null ${isAdmitted}
      order by tenant, idempotency_key
      on conflict do nothing
      returning resource_id
    ), accepted as (
      select * from input where (idempotency_key is null or id::text in (select resource_id from claimed)) ${isAdmitted}
    ), input_runs as (
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
    ${quotas ? db`union all select job_id, null, quota, used, wait_seconds from refused` : db``}`

  const byId = new Map(rows.map((row) => [row.id, row]))
  return inputs.map((input) => {
    const row = byId.get(input.id)
    if (!row) return undefined
    return row.quota === null ? { job: answer(input, row.created_at) } : { excess: excessOf(input, row, quotas) }
  })
}

type CreatedRow = { id: string } & (
  { quota: null; created_at: string } | { quota: Exclude<QuotaName, 'catalogue_entries'>; used: number; wait_seconds: number }
)

/** Judges the jobs whose keys were not used before, so that what is asked for again is answered whatever is used up. Tenants are locked in their order. */
const judged = (db: Db, { openRuns, jobsPerMinute, storedBytes }: Quotas) => db`
  , asked as materialized (
    select tenant, array_agg(id order by at) as ids, array_agg(open_runs order by at) as runs, array_agg(stored_bytes order by at) as bytes,
      sum(open_runs) as all_runs, sum(stored_bytes)::bigint as all_bytes
    from input where idempotency_key is null or not exists (
      select from evalhub.idempotency_keys as used
      where used.tenant = input.tenant and used.route = 'jobs' and used.key = input.idempotency_key
    )
    group by tenant order by tenant
  ), refused as materialized (
    select refused.* from asked cross join lateral evalhub.admit(
      tenant, ids, runs, bytes, all_runs, all_bytes, ${bound(openRuns)}::bigint, ${bound(jobsPerMinute)}::bigint, ${bound(storedBytes)}::bigint
    ) as refused
  )`

const bound = (quota: number) => (Number.isFinite(quota) ? quota : null)

function excessOf(input: NewEvaluation, row: Extract<CreatedRow, { used: number }>, quotas: Quotas | undefined): Excess {
  const { quota, used, wait_seconds: waitSeconds } = row
  const [asked, allowed] = {
    open_runs: [input.specs.length, quotas?.openRuns],
    jobs_per_minute: [1, quotas?.jobsPerMinute],
    stored_bytes: [storedBytesOf(input), quotas?.storedBytes],
  }[quota]
  return { quota, used, asked: asked ?? 0, allowed: allowed ?? 0, waitSeconds }
}

/** What a job takes of its tenant's quota. */
export const storedBytesOf = ({ footprint, snapshots }: NewEvaluation) => footprint + snapshots

function toInput(input: NewEvaluation, at: number) {
  const { id, scope, request, specs, aggregateThreshold, collectionUpdatedAt, footprint, idempotency } = input
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
    open_runs: specs.length,
    stored_bytes: storedBytesOf(input),
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
  const benchmarks = input.specs.map((spec, index) => ({
    provider_id: spec.provider_id,
    id: spec.benchmark_id,
    benchmark_index: index,
    status: 'pending' as const,
  }))
  return { ...job, resource, status: { ...job.status, benchmarks } }
}
