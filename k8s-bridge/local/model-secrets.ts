import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { secretsToHide, type Hidden } from '../redact.ts'

/** Files in which the published SDK looks for the keys of a model. */
const FILES = ['api-key', 'hf-token']
/** What has more is not read: everything is hidden then. */
const lengthMax = 1024 * 1024

/** Values that must not appear in a run's log, from the folder of its model's secret; without one there are none. */
export async function readModelSecrets(folder: string | undefined): Promise<Hidden> {
  if (folder === undefined) return []
  const values = await Promise.all(FILES.map((name) => readSmall(join(folder, name))))
  return values.includes(undefined) ? 'everything' : secretsToHide(values.filter((value) => value !== undefined))
}

/** Undefined for what is too large. */
async function readSmall(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path)
    return size > lengthMax ? undefined : (await readFile(path, 'utf8')).trim()
  } catch {
    // Whatever keeps us from reading it keeps the adapter, which is the same user, from it too.
    return ''
  }
}
