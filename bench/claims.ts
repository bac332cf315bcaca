import { setTimeout as delay } from 'node:timers/promises'
import { connect, type Pool } from '#db/client.ts'
import { recordLaunches } from '#db/commands/record-launch.ts'
import { withDatabase } from '#db/database-url.ts'
import { migrate } from '#db/migrate.ts'
import { specFor, submitSpecs } from '#db/test-evaluation.ts'
import { createClaimer, type Claimer } from '#k8s-bridge/claimer.ts'
import { startTemporary } from '../test/start-postgres.ts'

/**
 * `npm run bench:claims [-- SECONDS [RATE]]`: what a session that holds a REPEATABLE READ snapshot costs those who claim from a backlog of 10,000.
 *
 * Two databases of one server are claimed from in turn, so that both sides have the same machine; the snapshot is of one of them. What is claimed is
 * submitted anew, and what was launched has ended by the next claim, so that backlog and runs under way stay as many while dead rows pile up:
 * as fast as it goes, or on each side RATE a second. A cluster takes about a hundred; what is measured is the time that claiming and recording take.
 */
const seconds = Number(process.argv[2] ?? 60)
const rate = Number(process.argv[3] ?? Infinity)
const backlog = 10_000
const batch = 24

type Side = { db: Pool; claimer: Claimer; claimed: number; busyMs: number }

async function openSide(url: string): Promise<Side> {
  const db = connect(url, { max: 2 })
  await migrate(db)
  for (let at = 0; at < backlog / 500; at++) await fill(db, 500)
  return { db, claimer: createClaimer(db), claimed: 0, busyMs: 0 }
}

const fill = (db: Pool, count: number) => submitSpecs(db, Array(count).fill(specFor('true')), { tenant: 'bench' })

async function turn(side: Side): Promise<void> {
  const { db, claimer } = side
  const startedAtMs = performance.now()
  const limits = { perTenant: 1e8, total: 1e8 }
  const claims = await claimer.claim({ holder: 'bench', limit: batch, leaseSeconds: 10, limits })
  await recordLaunches(
    db,
    'bench',
    claims.map((claim) => ({ ...claim, objectUid: 'uid' })),
  )
  side.busyMs += performance.now() - startedAtMs
  side.claimed += claims.length
  await db`update evalhub.attempts set ended_at = now(), changed_in = pg_current_xact_id() where ended_at is null`
  await fill(db, claims.length)
}

function tell(name: string, free: Side, held: Side): void {
  const [without, withIt] = [free, held].map(({ claimed, busyMs }) => (claimed / busyMs) * 1000) as [number, number]
  const ratio = (withIt / without).toFixed(2)
  console.log(`${name}: ${without.toFixed(0)} claims/s without a snapshot that is held, ${withIt.toFixed(0)} with it: ${ratio}`)
  for (const side of [free, held]) Object.assign(side, { claimed: 0, busyMs: 0 })
}

const postgres = await startTemporary()
const server = connect(postgres.url, { max: 1 })
try {
  for (const name of ['free', 'held']) await server`create database ${server(name)}`
  const free = await openSide(withDatabase(postgres.url, 'free'))
  const held = await openSide(withDatabase(postgres.url, 'held'))
  let isFreeFirst = true
  const holder = connect(withDatabase(postgres.url, 'held'), { max: 1 })
  await holder.begin('isolation level repeatable read', async (tx) => {
    await tx`select count(*) from evalhub.launch_queue`
    for (let fifth = 1; fifth <= 5; fifth++) {
      const endsAtMs = performance.now() + seconds * 200
      while (performance.now() < endsAtMs) {
        const nextAtMs = performance.now() + (batch / rate) * 1000
        // Whoever comes after a pause finds the processor's caches cold.
        for (const side of isFreeFirst ? [free, held] : [held, free]) await turn(side)
        isFreeFirst = !isFreeFirst
        await delay(Math.max(0, nextAtMs - performance.now()))
      }
      tell(`fifth ${fifth} of ${seconds} s`, free, held)
    }
  })
  await Promise.all([holder.end(), free.db.end(), held.db.end()])
} finally {
  await server.end()
  await postgres.stop()
}
