import { z } from 'zod'
import type { Quotas } from '#shared/domain/quota.ts'
import { Limit } from '#shared/models/setting.ts'

const limit = (path: string, fallback: string, description: string) =>
  Limit.prefault(fallback).meta({ path: `quotas.${path}`, description })

/**
 * What each tenant may have, unless told otherwise: room for forty teams. Forty times these are 400,000 runs in the queue and 670 jobs a second,
 * which one database keeps up with, and 400 GiB.
 */
export const quotaSettings = {
  QUOTA_OPEN_RUNS: limit(
    'open_runs',
    '10000',
    'runs of one tenant that have not ended; with 50 under way at once, the work of days. More are answered `quota_exceeded`; -1 for no bound, as for all of these',
  ),
  QUOTA_JOBS_PER_MINUTE: limit('jobs_per_minute', '1000', 'jobs that one tenant submits in a minute of the database’s clock'),
  QUOTA_STORED_BYTES: limit(
    'stored_bytes',
    '10737418240',
    'what is kept of one tenant’s jobs: requests, snapshots of their benchmarks, results and logs',
  ),
  QUOTA_CATALOGUE_ENTRIES: limit('catalogue_entries', '200', 'providers and collections of one tenant, each of which may have 8 MiB'),
}

const QuotaSettings = z.object(quotaSettings)

export const toQuotas = (settings: z.output<typeof QuotaSettings>): Quotas => ({
  openRuns: settings.QUOTA_OPEN_RUNS,
  jobsPerMinute: settings.QUOTA_JOBS_PER_MINUTE,
  storedBytes: settings.QUOTA_STORED_BYTES,
  catalogueEntries: settings.QUOTA_CATALOGUE_ENTRIES,
})

/** The quotas by the environment of a Worker. */
export const QuotaConfig = QuotaSettings.transform(toQuotas)
