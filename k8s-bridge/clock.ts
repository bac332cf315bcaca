import type { Db } from '#db/client.ts'
import { startLoop, type Loop } from './loop.ts'
import { retain, type Retention } from './retention.ts'

type Options = {
  db: Db
  retention: Retention
  /** Told what went wrong and will be tried again. */
  onError: (error: unknown) => void
}

const INTERVAL_MS = 60_000

/** Does what is due by the clock alone, at once and every minute, until it is stopped. */
export const startClock = ({ db, retention, onError }: Options): Loop =>
  startLoop(() => retain(db, retention), { intervalMs: INTERVAL_MS, onError })
