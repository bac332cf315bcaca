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

/** Lists at one connection, by the number of jobs that their tenant has; the tenants share the tables. */
export async function benchLists(db: Pool, place: Place, { seconds, isFull }: Options): Promise<void> {
  const sizes = Object.entries(SIZES).filter(([, jobs]) => isFull || jobs <= 100_000)
  if (!isFull) console.log('lists of 1 M jobs are left out: `npm run bench -- lists --full` has them (two minutes more)')
  for (const [label, jobs] of sizes) await fillJobs(db, label, jobs)
  printHead()
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
