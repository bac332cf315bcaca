import type { Pool } from '#db/client.ts'
import { compare, printHead, type Place } from './compare.ts'
import { fillJobs } from './fill-jobs.ts'
import type { Figures } from './measure.ts'
import type { OperationName } from './operations.ts'

const LISTS: readonly OperationName[] = [
  'first page',
  'page 1000',
  'status=completed',
  'status=running',
  'a rare tag',
  'a common tag',
  'a name',
]

const SIZES = { '1 k': 1000, '100 k': 100_000, '1 M': 1_000_000 }

type Options = { seconds: number; isFull: boolean }

/** Of a job with three benchmarks and their results: 50 of them are more than is read at once, 35 are not. */
const REPORTED_FOOTPRINT = 26_000

/** Many at once, of which some need more than others: nobody is to wait for ever. */
async function benchTwoSizes(db: Pool, place: Place, seconds: number): Promise<void> {
  const [operation, tenant] = ['pages of two sizes', 'reported'] as const
  await fillJobs(db, tenant, 1000, REPORTED_FOOTPRINT)
  const subjects = [{ ids: [], runs: 1, tenant }]
  const { p50Ms, p99Ms } = await compare(place, { label: operation, operation, connections: 64, seconds, subjects })
  console.log(`${''.padStart(30)}p99 is ${(p99Ms / p50Ms).toFixed(2)} × p50`)
}

/** Lists at one connection, by the number of jobs that their tenant has; the tenants share the tables. Before them pages at 64 connections. */
export async function benchLists(db: Pool, place: Place, { seconds, isFull }: Options): Promise<void> {
  const sizes = Object.entries(SIZES).filter(([, jobs]) => isFull || jobs <= 100_000)
  if (!isFull) console.log('lists of 1 M jobs are left out: `npm run bench -- lists --full` has them (two minutes more)')
  for (const [label, jobs] of sizes) await fillJobs(db, label, jobs)
  printHead()
  await benchTwoSizes(db, place, seconds)
  for (const operation of LISTS) {
    let smallest: Figures | undefined
    for (const [label] of sizes) {
      const subjects = [{ ids: [], runs: 1, tenant: label }]
      const figures = await compare(place, { label: `${operation}, ${label}`, operation, connections: 1, seconds, subjects })
      smallest ??= figures
      if (figures !== smallest) console.log(`${''.padStart(30)}p50 is ${(figures.p50Ms / smallest.p50Ms).toFixed(2)} × that of 1 k jobs`)
    }
  }
}
