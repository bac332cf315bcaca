import type { Waiting } from '#shared/domain/waiting.ts'
import type { Db } from '../client.ts'

/** Why a run has not started, and how long that has been the reason, by the database's clock. */
export type LastingWait = Waiting & { sinceSecondsAgo: number }

/** That of the table `run` in a statement, as its column `waiting`; null where nothing is known. */
export const lastingWait = (db: Db) => db`
  case when run.waiting is not null then
    run.waiting || jsonb_build_object('sinceSecondsAgo', extract(epoch from now() - run.waiting_since)) end as waiting`
