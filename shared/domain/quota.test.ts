import { expect, test } from 'vitest'
import { statusOf } from '../errors.ts'
import { excessOf, quotaExceeded, type Excess } from './quota.ts'

const MIB = 1024 * 1024
const excess = (more: Partial<Excess>): Excess => ({ quota: 'open_runs', used: 9990, asked: 20, allowed: 10_000, waitSeconds: 23, ...more })

// Guarantee: who is refused learns which quota it is, how much of it is used and allowed, and what to do.
test.each<[Excess, RegExp, number]>([
  [
    excess({}),
    /open_runs .* it has 9990 runs that have not ended, and the job would add 20; its quota is 10000\. Wait .* or cancel jobs/,
    60,
  ],
  [
    excess({ quota: 'jobs_per_minute', used: 1000, asked: 1, allowed: 1000 }),
    /jobs_per_minute .* it has submitted 1000 jobs in this minute; its quota is 1000 a minute\. Submit the next in 23 s\./,
    23,
  ],
  // As when the minute ended while somebody else's submit was waited for.
  [excess({ quota: 'jobs_per_minute', waitSeconds: -2 }), /Submit the next in 1 s\./, 1],
  [
    excess({ quota: 'stored_bytes', used: 10_239.9 * MIB, asked: 0.5 * MIB, allowed: 10_240 * MIB }),
    /stored_bytes .* take 10239\.9 MiB, and the job would add 0\.5 MiB; its quota is 10240\.0 MiB\. Delete jobs .* their results are kept\./,
    3600,
  ],
  [
    excess({ quota: 'catalogue_entries', used: 200, asked: 1, allowed: 200 }),
    /catalogue_entries .* it has 200 providers and collections; its quota is 200\. Delete those that are not needed\./,
    3600,
  ],
])('%j is refused in words', (one, message, seconds) => {
  const error = quotaExceeded(one)
  expect(error.message).toMatch(message)
  expect([statusOf(error.code), error.retryAfterSeconds]).toEqual([429, seconds])
})

test.each([
  [{}, undefined],
  [{ openRuns: 9, jobsInMinute: 1, storedBytes: 90 }, undefined],
  [{ openRuns: 10 }, { quota: 'open_runs', used: 10, asked: 1, allowed: 10, waitSeconds: 7 }],
  [
    { jobsInMinute: 2, openRuns: 10 },
    { quota: 'jobs_per_minute', used: 2, asked: 1, allowed: 2, waitSeconds: 7 },
  ],
  [{ storedBytes: 91 }, { quota: 'stored_bytes', used: 91, asked: 10, allowed: 100, waitSeconds: 7 }],
])('beside %j, one more job is judged: %j', (used, excess) => {
  const usage = { openRuns: 0, jobsInMinute: 0, storedBytes: 0, waitSeconds: 7, ...used }
  const quotas = { openRuns: 10, jobsPerMinute: 2, storedBytes: 100, catalogueEntries: 0 }
  expect(excessOf(usage, { runs: 1, bytes: 10 }, quotas)).toEqual(excess)
})
