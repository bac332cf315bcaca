import type { Db } from '../client.ts'

/** Records what runs are here, so that the log of one that has written nothing yet is named right. */
export async function noteRuntime(db: Db, runtime: 'kubernetes' | 'local'): Promise<void> {
  await db`update evalhub.hub set runtime = ${runtime} where runtime is distinct from ${runtime}`
}
