import type { Filter } from '#shared/domain/list-filter.ts'
import type { EvaluationJob } from '#shared/models/evaluation.ts'
import { sha256 } from '#shared/sha256.ts'
import type { Db } from '../client.ts'
import { toJob, type JobRow } from '../rows.ts'
import { ofTenant, type Scope, type TenantScope } from '../scope.ts'
import { containing, matching, sliced, type Listed, type Slice } from './filters.ts'

/** Ids are opaque to callers: text that is no UUID is an id that nothing has. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

/** A job's columns and its runs, for the table `evaluations` in a `from`. */
const jobColumns = (db: Db) => db`
  id, tenant, owner, state, message, request, to_json(created_at) as created_at, score, passed, aggregate_threshold, collection_updated_at,
  to_json(updated_at) as updated_at, extract(epoch from now() - created_at)::float8 as age_seconds,
  (select extract(epoch from now() - bridge_seen_at)::float8 from evalhub.hub) as bridge_seen_seconds_ago,
  (
    select json_agg(
      json_build_object(
        'provider_id', provider_id, 'benchmark_id', benchmark_id, 'benchmark_index', benchmark_index, 'state', state, 'phase', phase,
        'progress', progress, 'error_message', error_message, 'warning_message', warning_message, 'started_at', started_at,
        'completed_at', completed_at, 'metrics', metrics, 'metrics_schema', metrics_schema, 'additional_info', additional_info,
        'artifacts', artifacts, 'test', test, 'mlflow_run_id', mlflow_run_id, 'logs_path', logs_path, 'resolved_sha', resolved_sha,
        'waiting', waiting, 'primary_metric', spec -> 'primary_score' ->> 'metric', 'spec', case when request ? 'collection' and (
          select bool_or(resolved_sha is not null) from evalhub.runs as one where one.evaluation_id = evaluations.id
        ) then spec end
      ) order by benchmark_index
    ) from evalhub.runs where evaluation_id = evaluations.id
  ) as runs`

/** Undefined also when it belongs to another tenant: a caller cannot tell the two apart. */
export async function findEvaluation(db: Db, scope: Scope, id: string): Promise<EvaluationJob | undefined> {
  if (!isUuid(id)) return undefined
  const [row] = await db<JobRow[]>`
    select ${jobColumns(db)} from evalhub.evaluations where id = ${id} and deleted_at is null ${ofTenant(db, scope)}`
  return row && toJob(row)
}

/** What all that is answered of a job, progress included, is told apart by. */
export const versionOf = (job: EvaluationJob): Promise<string> => sha256(JSON.stringify(job))

/** What an event of a job needs to know of it. Undefined also when it belongs to another tenant. */
export async function findRequest(db: Db, scope: TenantScope, id: string): Promise<Pick<JobRow, 'tenant' | 'request'> | undefined> {
  if (!isUuid(id)) return undefined
  const [row] = await db<Pick<JobRow, 'tenant' | 'request'>[]>`
    select tenant, request from evalhub.evaluations where id = ${id} and deleted_at is null ${ofTenant(db, scope)}`
  return row
}

export type EvaluationFilters = Partial<Record<'name' | 'tags' | 'owner' | 'status' | 'experiment_id', Filter | undefined>>

/** Newest first. */
export async function listEvaluations(db: Db, scope: Scope, filters: EvaluationFilters, slice: Slice): Promise<Listed<EvaluationJob>> {
  const wanted = db`
    deleted_at is null ${ofTenant(db, scope)} ${matching(db, db`name`, filters.name)} ${containing(db, db`tags`, filters.tags)}
    ${matching(db, db`owner`, filters.owner)} ${matching(db, db`state::text`, filters.status)}
    ${matching(db, db`coalesce(experiment, '')`, filters.experiment_id)}`
  const [rows, [count]] = await Promise.all([
    db<JobRow[]>`select ${jobColumns(db)} from evalhub.evaluations where ${wanted} order by id desc ${sliced(db, slice)}`,
    Object.values(filters).some((filter) => filter !== undefined)
      ? db<{ total: number }[]>`select count(*) as total from evalhub.evaluations where ${wanted}`
      : db<{ total: number }[]>`
          select coalesce(sum(total), 0)::bigint as total from evalhub.evaluation_counts where true ${ofTenant(db, scope)}`,
  ])
  return { items: rows.map(toJob), total: count?.total ?? 0 }
}
