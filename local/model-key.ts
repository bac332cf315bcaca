import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Writes a model's key where adapters of a local hub look for it: a folder, open to this user alone, whose path is
 * the `secret_ref` of the model. `remove` deletes it.
 */
export async function keepModelKey(key: string): Promise<{ secretRef: string; remove: () => Promise<void> }> {
  const secretRef = await mkdtemp(join(tmpdir(), 'evalhub-key-')) // created with mode 0700
  const remove = () => rm(secretRef, { recursive: true, force: true })
  try {
    await writeFile(join(secretRef, 'api-key'), key, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    await remove()
    throw error
  }
  return { secretRef, remove }
}
