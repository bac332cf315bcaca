import { HubError } from '../errors.ts'

/** What one tenant may have at most; `Infinity` is no bound. */
export type Quotas = {
  /** Runs of its jobs that have not ended. */
  openRuns: number
  /** Jobs that it submits in a minute of the database's clock. */
  jobsPerMinute: number
  /** What is kept of its jobs: requests, snapshots, results and logs. */
  storedBytes: number
  /** Providers and collections of its own. */
  catalogueEntries: number
}

export type QuotaName = 'open_runs' | 'jobs_per_minute' | 'stored_bytes' | 'catalogue_entries'

/** Why something is refused. */
export type Excess = {
  quota: QuotaName
  /** What the tenant has of it. */
  used: number
  /** What the refused thing would have added. */
  asked: number
  allowed: number
  /** To the end of the minute that was judged; 0 or less once it is over. */
  waitSeconds: number
}

/** What a tenant has of its quotas for jobs. */
export type Usage = { openRuns: number; jobsInMinute: number; storedBytes: number; waitSeconds: number }

/** Why one more job may not be submitted beside what is there; undefined if it may. */
export function excessOf(usage: Usage, job: { runs: number; bytes: number }, quotas: Quotas): Excess | undefined {
  const { openRuns, jobsInMinute, storedBytes, waitSeconds } = usage
  const rules = [
    { quota: 'jobs_per_minute', used: jobsInMinute, asked: 1, allowed: quotas.jobsPerMinute },
    { quota: 'open_runs', used: openRuns, asked: job.runs, allowed: quotas.openRuns },
    { quota: 'stored_bytes', used: storedBytes, asked: job.bytes, allowed: quotas.storedBytes },
  ] as const
  const broken = rules.find(({ used, asked, allowed }) => used + asked > allowed)
  return broken && { ...broken, waitSeconds }
}

/** Runs end by the minute, or when somebody cancels a job. */
const RUNS_SECONDS = 60
/** Nothing is given back unless somebody deletes something. */
const DELETE_SECONDS = 3600

const MIB = 1024 * 1024

/** The refusal, which says which quota it is, how much of it is used and allowed, and what to do. */
export function quotaExceeded({ quota, used, asked, allowed, waitSeconds }: Excess): HubError {
  const minuteSeconds = Math.max(1, waitSeconds)
  const { text, seconds } = {
    open_runs: {
      text: `it has ${used} runs that have not ended, and the job would add ${asked}; its quota is ${allowed}. Wait until some have ended, or cancel jobs that are not needed.`,
      seconds: RUNS_SECONDS,
    },
    jobs_per_minute: {
      text: `it has submitted ${used} jobs in this minute; its quota is ${allowed} a minute. Submit the next in ${minuteSeconds} s.`,
      seconds: minuteSeconds,
    },
    stored_bytes: {
      text: `its jobs, their results and logs take ${mib(used)}, and the job would add ${mib(asked)}; its quota is ${mib(allowed)}. Delete jobs that are not needed (hard_delete=true). Jobs that were submitted go on, and their results are kept.`,
      seconds: DELETE_SECONDS,
    },
    catalogue_entries: {
      text: `it has ${used} providers and collections; its quota is ${allowed}. Delete those that are not needed.`,
      seconds: DELETE_SECONDS,
    },
  }[quota]
  return HubError.of('quota_exceeded', { Error: `The quota ${quota} of this tenant is used up: ${text}` }, undefined, seconds)
}

const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`
