import type { Db } from '../client.ts'

/** Records that a bridge is at work: users of pending runs are told when none is. */
export async function noteBridge(db: Db): Promise<void> {
  await db`update evalhub.hub set bridge_seen_at = now() where bridge_seen_at is null or bridge_seen_at < now() - interval '10 seconds'`
}
