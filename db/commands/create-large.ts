import { excessOf, type Quotas } from '#shared/domain/quota.ts'
import type { Db, Pool } from '../client.ts'
import { findUsage } from '../queries/quota-usage.ts'
import { accepting, refusalToExcess, type Refusal } from './accept-jobs.ts'
import { createEvaluations, takenBy, type Creation, type NewEvaluation } from './create-evaluation.ts'

/**
 * As `createEvaluations`, one job that may take seconds to store: it is judged, and its key taken, when it is stored, and what is refused is taken
 * back, so that nobody waits those seconds for the quotas of its tenant, nor a small job for its key. Repeats of it wait for each other. What there is no room for
 * from the first is not begun.
 */
export async function createLarge(db: Pool, input: NewEvaluation, quotas: Quotas | undefined): Promise<Creation> {
  if (!quotas) return (await createEvaluations(db, [input]))[0]
  let takenBack: { creation: Creation } | undefined
  const kept = db.begin(async (tx) => {
    if (await waitForKey(tx, input)) return undefined
    const excess = excessOf(await findUsage(tx, input.scope.tenant), takenBy(input), quotas)
    if (excess) return { excess }
    // Hidden, since everybody locks what quotas are judged by before the counts.
    const [created] = await createEvaluations(tx, [{ ...input, idempotency: undefined }], { isHidden: true })
    const { isShown, refusal } = await show(tx, input, quotas)
    if (isShown) return created
    takenBack = { creation: refusal && { excess: refusalToExcess(takenBy(input), refusal, quotas) } }
    throw new Error('taken back')
  })
  return kept.catch((error: unknown) => (takenBack ? takenBack.creation : Promise.reject(error)))
}

/** Whether the key of a large job stands for another one, once no other large job with it is being stored. */
async function waitForKey(tx: Db, { scope: { tenant }, idempotency }: NewEvaluation): Promise<boolean> {
  if (!idempotency) return false
  const { key } = idempotency
  await tx`select pg_advisory_xact_lock(hashtextextended(${`evalhub job ${tenant} ${key}`}, 0))`
  const used = await tx`select from evalhub.idempotency_keys where tenant = ${tenant} and route = 'jobs' and key = ${key}`
  return used.length > 0
}

/** Shows a job that was stored hidden, if its key is free and its tenant's quotas have room. */
async function show(tx: Db, input: NewEvaluation, quotas: Quotas): Promise<{ isShown: boolean; refusal: Refusal | undefined }> {
  const { id, scope, idempotency } = input
  const { runs, bytes } = takenBy(input)
  const [row] = await tx<[{ is_shown: boolean } & (Refusal | { quota: null })]>`
    with input as (
      select 0 as at, ${id}::uuid as id, ${scope.tenant}::text as tenant, ${runs}::int as open_runs, ${bytes}::bigint as stored_bytes,
        ${idempotency?.key ?? null}::text as idempotency_key, ${idempotency?.bodyHash ?? null}::text as body_hash
    ) ${accepting(tx, quotas)}, shown as (
      update evalhub.evaluations set deleted_at = null where id in (select id from accepted)
      returning id
    )
    select exists (select from shown) as is_shown, quota, used, wait_seconds from input left join rejected on job_id = id`
  return { isShown: row.is_shown, refusal: row.quota === null ? undefined : row }
}
