import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { EvaluationJob, EvaluationJobConfig } from '#shared/models/evaluation.ts'
import type { Message } from '#shared/models/message.ts'
import type { Pool } from '../client.ts'
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

/**
 * Stores jobs, their runs with snapshots, and one queue row a run, in one statement: all of it is kept, or nothing.
 *
 * Answers the jobs as they are now, in the order of the input; undefined for one whose idempotency key was used before, which is not stored.
 */
export async function createEvaluations(db: Pool, inputs: readonly NewEvaluation[]): Promise<(EvaluationJob | undefined)[]> {
  const created = await db<{ id: string; created_at: string }[]>`
    with input as (
      select * from jsonb_to_recordset(${json(db, inputs.map(toInput))}) as job (
        id uuid, tenant text, owner text, name text, tags jsonb, message jsonb, request jsonb, experiment text,
        aggregate_threshold float8, collection_updated_at text, footprint int, runs jsonb, idempotency_key text, body_hash text
      )
    ), claimed as (
      insert into evalhub.idempotency_keys (tenant, route, key, body_hash, resource_id)
      select tenant, 'jobs', idempotency_key, body_hash, id from input where idempotency_key is not null
      order by tenant, idempotency_key
      on conflict do nothing
      returning resource_id
    ), accepted as (
      select * from input where idempotency_key is null or id::text in (select resource_id from claimed)
    ), input_runs as (
      select accepted.id, accepted.tenant, run.*
      from accepted, jsonb_to_recordset(accepted.runs) as run (benchmark_index int, provider_id text, benchmark_id text, spec jsonb)
    ), new_runs as (
      insert into evalhub.runs (evaluation_id, benchmark_index, provider_id, benchmark_id, spec)
      select id, benchmark_index, provider_id, benchmark_id, spec from input_runs
    ), queued as (
      insert into evalhub.launch_queue (tenant, evaluation_id, benchmark_index, attempt)
      select tenant, id, benchmark_index, 1 from input_runs order by id, benchmark_index
    )
    insert into evalhub.evaluations
      (id, tenant, owner, name, tags, message, request, experiment, aggregate_threshold, collection_updated_at, footprint)
    select id, tenant, owner, name, tags, message, request, experiment, aggregate_threshold, collection_updated_at, footprint from accepted
    returning id, to_json(created_at) as created_at`

  const createdAt = new Map(created.map((row) => [row.id, row.created_at]))
  return inputs.map((input) => {
    const at = createdAt.get(input.id)
    return at === undefined ? undefined : answer(input, at)
  })
}

function toInput({ id, scope, request, specs, aggregateThreshold, collectionUpdatedAt, footprint, idempotency }: NewEvaluation) {
  return {
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
