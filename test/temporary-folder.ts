import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removePostgres } from '#local/postgres-home.ts'

/** A new folder for a hub; its data directory is to be `data` below it. */
export const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'evalhub-test-'))

/** Removes the folder, and the database that a hub kept for it elsewhere. The hub must have ended. */
export async function removeFolder(folder: string): Promise<void> {
  const dataDir = join(folder, 'data')
  const info = await stat(dataDir).catch(() => undefined)
  if (info?.isDirectory()) await removePostgres(dataDir)
  await rm(folder, { recursive: true, force: true })
}
