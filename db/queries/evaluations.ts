import type { Filter } from '#shared/domain/list-filter.ts'
import { SHOWN_PARAMETERS_FOOTPRINT, SHOWN_PARAMETERS_MAX } from '#shared/domain/resolved-request.ts'
import type { EvaluationJob, EvaluationJobConfig } from '#shared/models/evaluation.ts'
import { EVALUATION_STATES, type EvaluationState } from '#shared/models/states.ts'
import { sha256 } from '#shared/sha256.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import { SMALL_FOOTPRINT, type Reserve } from '../reserve.ts'
import { toJob, type JobRow } from '../rows.ts'
import { ofTenant, type Scope, type TenantScope } from '../scope.ts'
import { containing, matching, sliced, type Fragment, type Listed, type Slice } from './filters.ts'
import { inGroups, type Measured, type Place } from './in-groups.ts'

/** Ids are opaque to callers: text that is no UUID is an id that nothing has. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

const ANY_FOOTPRINT = 2 ** 31 - 1

/** What a job's runs go by, if it is short enough to be shown. */
const shownParameters = (db: Db) => db`,
  'parameters', case when (
    select sum(length((spec -> 'parameters')::text)) from evalhub.runs as one where one.evaluation_id = evaluations.id
  ) <= ${SHOWN_PARAMETERS_MAX} then spec -> 'parameters' end, 'num_examples', spec -> 'num_examples'`

/**
 * A job's columns and its runs, for `evaluations` in a `from`; of one with a footprint of more than `max` neither request nor runs. `more`: of each
 * run besides.
 */
const jobColumns = (db: Db, max: number, more: Fragment = db``) => db`
  id, tenant, owner, state, message, case when footprint <= ${max}::int then request end as request, footprint, to_json(created_at) as created_at,
  score, passed, aggregate_threshold, collection_updated_at,
  to_json(updated_at) as updated_at, extract(epoch from now() - created_at)::float8 as age_seconds,
  (select extract(epoch from now() - bridge_seen_at)::float8 from evalhub.hub) as bridge_seen_seconds_ago,
  case when footprint <= ${max}::int then (
    select json_agg(
      json_build_object(
        'provider_id', provider_id, 'benchmark_id', benchmark_id, 'benchmark_index', benchmark_index, 'state', state, 'phase', phase,
        'progress', progress, 'error_message', error_message, 'warning_message', warning_message, 'started_at', started_at,
        'completed_at', completed_at, 'metrics', metrics, 'metrics_schema', metrics_schema, 'additional_info', additional_info,
        'artifacts', artifacts, 'test', test, 'mlflow_run_id', mlflow_run_id, 'logs_path', logs_path, 'resolved_sha', resolved_sha,
        'waiting', waiting, 'primary_metric', spec -> 'primary_score' ->> 'metric', 'remarks', spec -> 'remarks', 'spec', case when request ? 'collection' and (
          select bool_or(resolved_sha is not null) from evalhub.runs as one where one.evaluation_id = evaluations.id
        ) then spec end ${more}
      ) order by benchmark_index
    ) from evalhub.runs where evaluation_id = evaluations.id
  ) end as runs`

/**
 * With the parameters that its runs go by. Undefined also when it belongs to another tenant: a caller cannot tell the two apart.
 *
 * One that is not small is read once `reserve` has given the memory for it; without `reserve` the caller answers for that.
 */
export async function findEvaluation(db: Db, scope: Scope, id: string, reserve?: Reserve): Promise<EvaluationJob | undefined> {
  const found = (on: Db, max: number) => readJob(on, scope, id, { max, more: shownParameters(on) })
  const small = SMALL_FOOTPRINT - SHOWN_PARAMETERS_FOOTPRINT
  const row = await found(db, reserve ? small : ANY_FOOTPRINT)
  if (!reserve || !row || row.footprint <= small) return row && toJob(row)
  await reserve(row.footprint + SHOWN_PARAMETERS_FOOTPRINT)
  // The driver keeps what it was sent last on a connection: the end of the transaction takes the place of the job.
  const whole = 'begin' in db ? await db.begin((tx) => found(tx, ANY_FOOTPRINT)) : await found(db, ANY_FOOTPRINT)
  return whole && toJob(whole)
}

async function readJob(db: Db, scope: Scope, id: string, { max, more }: { max: number; more: Fragment }): Promise<MeasuredJob | undefined> {
  if (!isUuid(id)) return undefined
  const [row] = await db<MeasuredJob[]>`
    select ${jobColumns(db, max, more)} from evalhub.evaluations where id = ${id} and deleted_at is null ${ofTenant(db, scope)}`
  return row
}

type MeasuredJob = JobRow & { footprint: number }

/** Whether there is such a job for the caller. */
export async function hasEvaluation(db: Db, scope: Scope, id: string): Promise<boolean> {
  if (!isUuid(id)) return false
  const rows = await db`select from evalhub.evaluations where id = ${id} and deleted_at is null ${ofTenant(db, scope)}`
  return rows.length > 0
}

/** What all that is answered of a job, progress included, is told apart by. `text` is the answer. */
export async function versionOf(text: string): Promise<string> {
  if (text.length <= HASHED_CHARACTERS) return sha256(text)
  let hashes = ''
  for (let at = 0; at < text.length; at += HASHED_CHARACTERS) hashes += await sha256(text.slice(at, at + HASHED_CHARACTERS))
  return sha256(hashes)
}

/** What is hashed at a time: a hash is made of a copy. */
const HASHED_CHARACTERS = 1024 * 1024

/** Without what only the adapter reads, which may be long. */
type ToldRequest = { request: Pick<EvaluationJobConfig, 'model' | 'exports'> }

/** What an event of a job needs to know of it. Undefined also when it belongs to another tenant. */
export async function findRequest(db: Db, scope: TenantScope, id: string): Promise<ToldRequest | undefined> {
  if (!isUuid(id)) return undefined
  const [row] = await db<ToldRequest[]>`
    select jsonb_strip_nulls(jsonb_build_object(
      'model', (request -> 'model') - 'parameters',
      'exports', jsonb_build_object('oci', jsonb_build_object('coordinates', (request #> '{exports,oci,coordinates}') - 'annotations'))
    )) as request
    from evalhub.evaluations where id = ${id} and deleted_at is null ${ofTenant(db, scope)}`
  return row
}

export type EvaluationFilters = Partial<Record<'name' | 'tags' | 'owner' | 'status' | 'experiment_id', Filter | undefined>>

/**
 * Newest first.
 *
 * The ids of the page are found in an index alone, so that the rows before it cost little; only the page's rows are read. How many there are
 * in all, or in some states, is kept by a trigger; with any other filter they are counted. The `limit 1` keeps the planner, which does not
 * know how long a page is, from reading the whole table for it. More than is small is read as it is answered (`in-groups.ts`).
 */
export async function listEvaluations(
  db: Db,
  scope: Scope,
  filters: EvaluationFilters,
  slice: Slice,
  reserve: Reserve,
): Promise<Listed<EvaluationJob>> {
  const { status, name, tags, owner, experiment_id } = filters
  const states = status && db`(select value::evalhub.evaluation_state from jsonb_array_elements_text(${json(db, statesOf(status))}))`
  const wanted = db`
    deleted_at is null ${ofTenant(db, scope)} ${matching(db, db`name`, name)} ${containing(db, db`tags`, tags)}
    ${matching(db, db`owner`, owner)} ${matching(db, db`coalesce(experiment, '')`, experiment_id)}`
  const isCounted = [name, tags, owner, experiment_id].every((filter) => filter === undefined)
  const idsFrom = ({ after, ...rest }: Place) => {
    const beyond = after === undefined ? wanted : db`${wanted} and id < ${after}`
    return states ? idsInStates(db, scope, states, beyond, rest) : idsOf(db, scope, beyond, rest)
  }
  const source = {
    next: (place: Place) => db<(MeasuredJob & Measured)[]>`
      select ${jobColumns(db, SMALL_FOOTPRINT)}, chosen
      from (
        select evaluation.*, chosen, sum(footprint) over (order by evaluation.id desc) as running,
          row_number() over (order by evaluation.id desc) as place
        from (select id, count(*) over ()::int as chosen from (${idsFrom(place)}) as ids) as page, lateral (
          select * from evalhub.evaluations where id = page.id limit 1
        ) as evaluation
      ) as evaluations
      where running <= ${SMALL_FOOTPRINT} or place = 1
      order by id desc`,
    toItem: toJob,
    whole: async (id: string) => {
      const row = await readJob(db, scope, id, { max: ANY_FOOTPRINT, more: db`` })
      return row && toJob(row)
    },
  }
  const [groups, [count]] = await Promise.all([
    inGroups(source, slice, reserve),
    isCounted
      ? db<{ total: number }[]>`
          select coalesce(sum(total), 0)::bigint as total from evalhub.evaluation_counts
          where ${states ? db`state in ${states}` : db`true`} ${ofTenant(db, scope)}`
      : db<{ total: number }[]>`
          select count(*) as total from evalhub.evaluations where ${wanted} ${states ? db`and state in ${states}` : db``}`,
  ])
  return { ...groups, total: count?.total ?? 0 }
}

/** The states that a filter leaves. They are few, so the database need not compare text. */
const statesOf = ({ mode, values, negated }: Filter): EvaluationState[] =>
  EVALUATION_STATES.filter((state) => {
    const matches = mode === 'any' ? values.includes(state) : values.every((value) => value === state)
    return matches !== negated
  })

/**
 * A tenant's indexes have nulls last and the primary key has not. There are no nulls: it says that the newest of a tenant are not to be looked
 * for among everybody's, which the planner would do for a filter that it takes for common.
 */
const newestFirst = (db: Db, { everyTenant }: Scope) => (everyTenant ? db`id desc` : db`id desc nulls last`)

const idsOf = (db: Db, scope: Scope, wanted: Fragment, slice: Slice) => db`
  select id from evalhub.evaluations where ${wanted} order by ${newestFirst(db, scope)} ${sliced(db, slice)}`

/** Of each state the newest, since an index has a state's jobs in order, and of these the page. */
const idsInStates = (db: Db, scope: Scope, states: Fragment, wanted: Fragment, slice: Slice) => db`
  select newest.id
  from ${states} as chosen (state), lateral (
    select id from evalhub.evaluations where state = chosen.state and ${wanted} order by ${newestFirst(db, scope)}
    limit ${slice.limit + slice.offset}
  ) as newest
  order by newest.id desc ${sliced(db, slice)}`
