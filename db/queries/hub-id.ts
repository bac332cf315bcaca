import type { Db } from '../client.ts'

/** The id of this hub, made by its first migration: what it creates elsewhere carries it. */
export async function getHubId(db: Db): Promise<string> {
  const [row] = await db<{ id: string }[]>`select id from evalhub.hub`
  if (!row) throw new Error('The database has no row in evalhub.hub: run the migrations')
  return row.id
}
