import type { Usage } from '#shared/domain/quota.ts'
import type { Db } from '../client.ts'

/** What a tenant has of its quotas for jobs now. Who must not be let in beside others holds the lock of its row in `submit_rates`. */
export async function findUsage(db: Db, tenant: string): Promise<Usage> {
  const [row] = await db<Usage[]>`
    select coalesce(sum(open_runs), 0)::float8 as "openRuns", coalesce(sum(stored_bytes), 0)::float8 as "storedBytes",
      coalesce((
        select jobs from evalhub.submit_rates where tenant = ${tenant} and minute >= date_trunc('minute', clock_timestamp())
      ), 0) as "jobsInMinute",
      ceil(extract(epoch from date_trunc('minute', clock_timestamp()) + interval '1 minute' - clock_timestamp()))::int as "waitSeconds"
    from evalhub.evaluation_counts where tenant = ${tenant}`
  if (!row) throw new Error('a statement that always has a row answered none')
  return row
}
