import { excessOf, type Excess, type Quotas } from '#shared/domain/quota.ts'
import type { Db, Pool } from '../client.ts'
import { findUsage } from '../queries/quota-usage.ts'
import { createEvaluations, storedBytesOf, type Creation, type NewEvaluation } from './create-evaluation.ts'

/**
 * As `createEvaluations`, one job that may take seconds to store: it is judged when it is stored, and taken back if it is refused, so that nobody
 * waits those seconds for the quotas of its tenant. What there is no room for from the first is not begun.
 */
export async function createLarge(db: Pool, input: NewEvaluation, quotas: Quotas | undefined): Promise<Creation> {
  if (!quotas) return (await createEvaluations(db, [input]))[0]
  const { tenant } = input.scope
  const judge = async (on: Db) => excessOf(await findUsage(on, tenant), { runs: input.specs.length, bytes: storedBytesOf(input) }, quotas)
  // One that was asked for before is answered whatever is used up.
  const excess = input.idempotency ? undefined : await judge(db)
  if (excess) return { excess }
  let refused: Excess | undefined
  const stored = db.begin(async (tx) => {
    // Hidden, since everybody locks what quotas are judged by before the counts.
    const [created] = await createEvaluations(tx, [input], { isHidden: true })
    if (!created) return undefined
    await lockRate(tx, tenant)
    refused = await judge(tx)
    if (refused) throw new Error('taken back')
    await tx`update evalhub.submit_rates set jobs = jobs + 1 where tenant = ${tenant}`
    await tx`update evalhub.evaluations set deleted_at = null where id = ${input.id}`
    return created
  })
  return stored.catch((error: unknown) => (refused ? { excess: refused } : Promise.reject(error)))
}

/** The row of the tenant as of this minute, locked. */
const lockRate = (tx: Db, tenant: string) => tx`
  insert into evalhub.submit_rates as rate (tenant, minute, jobs) values (${tenant}, date_trunc('minute', clock_timestamp()), 0)
  on conflict (tenant) do update set
    minute = greatest(rate.minute, excluded.minute), jobs = case when rate.minute < excluded.minute then 0 else rate.jobs end`
