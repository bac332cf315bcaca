import { setTimeout as delay } from 'node:timers/promises'
import { connect } from '#db/client.ts'
import { forwardPort } from '../test/port-forward.ts'

/** A program for the test of the driver: in the middle of a transaction its connection to the database (`argv[2]`) is lost, five times. */
const url = new URL(process.argv[2] ?? '')
const port = Number(url.port)
const forward = await forwardPort(port)
url.port = String(forward.port)
const db = connect(url.href, { max: 2 })
for (let round = 1; round <= 5; round++) {
  const failing = db.begin(async (tx) => {
    await tx`select 1`
    await forward.close()
    await delay(20)
    await tx`select 2`
  })
  const outcome = await failing.then(
    () => 'done',
    (error: { code: string }) => error.code,
  )
  await forward.open(port)
  const isBack = async (): Promise<boolean> => db`select 3`.then(() => true, isBack)
  console.log(`round ${round}: ${outcome}, then ${(await isBack()) ? 'answered' : 'silent'}`)
}
await db.end({ timeout: 1 })
await forward.close()
