import { lstat, realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HOW_TO_ALLOW, isAllowed, isBelow, type AllowedPaths } from '#shared/domain/allowed-paths.ts'
import { withClosed } from '#shared/domain/data-directory.ts'
import type { RunEnd } from '../runtime.ts'
import { HOW_TO_GIVE_A_KEY } from './model-secrets.ts'

type Owned = {
  /** Absolute, as for all of these. */
  dataDir: string
  catalogues: readonly string[]
  allowPaths: readonly string[]
  /** Where the hub was started. */
  cwd?: string
  home?: string
}

/** Of a hub that was started here without `--data-dir`; what it left is no more for others than what this one has. */
const DEFAULT_DATA_DIR = '.evalhub'

/**
 * The folders in which jobs may name files, as their owner wrote them: the working directory, the data directory but for runs and
 * database, the catalogues, and what was added. A hub that was started at home, or above it, opens its working directory to nobody.
 */
export function namedFolders({ dataDir, catalogues, allowPaths, cwd = process.cwd(), home = homedir() }: Owned): AllowedPaths {
  const own = isBelow(home, cwd) ? [] : [cwd]
  const closed = [dataDir, join(cwd, DEFAULT_DATA_DIR)].flatMap((folder) => [join(folder, 'jobs'), join(folder, 'postgres')])
  return { open: [...own, dataDir, ...catalogues, ...allowPaths], closed: [...new Set(closed)] }
}

/** Throws, naming the first that is not there: a typing error, or a volume that is not mounted. */
export async function checkFolders(allowPaths: readonly string[], setting: string): Promise<void> {
  for (const folder of allowPaths) {
    if (!(await isFolder(folder))) throw new Error(`${setting} names ${folder}, which is no folder`)
  }
}

/** Where these folders are now, links followed. Of those that are not there, the open ones are left out, and the others stay closed. */
export async function realFolders({ open, closed }: AllowedPaths): Promise<AllowedPaths> {
  const [found, barred] = await Promise.all([
    Promise.all(open.map((folder) => realpath(folder).catch(() => undefined))),
    Promise.all(closed.map(async (folder) => (await placeOf(folder))?.path ?? folder)),
  ])
  return { open: found.filter((folder) => folder !== undefined), closed: barred }
}

/** Which field names a secret, and what belongs there, in words. */
export type SecretUse = { field: string; expected: string }

const OF_THE_MODEL: SecretUse = { field: 'model.auth.secret_ref', expected: HOW_TO_GIVE_A_KEY }

/**
 * The folder of a secret, by default the model's, links followed; undefined if the job names none. What may not be named is refused in the same words, whether it
 * is there or not; what may, and is no folder, in words that say so.
 */
export async function secretFolder(
  secretRef: string | null | undefined,
  allowed: AllowedPaths,
  { field, expected }: SecretUse = OF_THE_MODEL,
): Promise<{ folder?: string } | { refused: RunEnd }> {
  if (!secretRef) return {}
  const path = pathOf(secretRef)
  const place = path === undefined ? undefined : await placeOf(path)
  if (!place || !isAllowed(place.path, await withClosed(place.path, allowed, isThere)))
    return refused(`${field} names no folder that it may: ${secretRef.slice(0, 1000)}. ${HOW_TO_ALLOW}`)
  if (await isFolder(place.path)) return { folder: place.path }
  return refused(`${field} names no folder: ${place.path} ${place.isThere ? 'is a file' : 'is not there'}. ${expected}`)
}

const refused = (sentences: string): { refused: RunEnd } => ({ refused: { failureClass: 'missing_secret', message: `${sentences}.` } })

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  )

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** The published contract has both forms. Relative to where adapters start. */
function pathOf(secretRef: string): string | undefined {
  if (!secretRef.startsWith('file://')) return resolve(secretRef)
  try {
    return fileURLToPath(secretRef)
  } catch {
    return undefined
  }
}

/** Where a path leads, as far as it exists. Undefined where a link leads to nothing, or to what cannot be looked at. */
async function placeOf(path: string): Promise<{ path: string; isThere: boolean } | undefined> {
  const real = await realpath(path).catch(() => undefined)
  if (real !== undefined) return { path: real, isThere: true }
  const isThere = await lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  )
  const above = isThere || path === dirname(path) ? undefined : await placeOf(dirname(path))
  return above && { path: join(above.path, path.slice(dirname(path).length)), isThere: false }
}
