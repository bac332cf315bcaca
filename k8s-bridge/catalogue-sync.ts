import { stat } from 'node:fs/promises'
import type { Pool } from '#db/client.ts'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { catalogueWarnings } from '#shared/domain/catalogue-warnings.ts'
import type { Log } from '#shared/log.ts'
import { RELEASE } from '#shared/release.ts'
import { startLoop, type Loop } from './loop.ts'
import { CatalogueError, catalogueFiles, missingCatalogues, readCatalogue } from './read-catalogue.ts'

/**
 * Makes the system's providers and collections those of the directories, the shipped one first. What is served although it is most likely
 * not meant is logged as warnings.
 *
 * A directory that is not there, or a newer release, leaves all as it is, and that is logged. Throws a `CatalogueError` that names every bad
 * file; then nothing has changed either.
 */
export async function syncCatalogueFrom(db: Pool, directories: readonly string[], log: Log): Promise<void> {
  const missing = await missingCatalogues(directories)
  if (missing.length > 0) {
    log.warn(`The catalogue stays as it is, because ${missing.join(' and ')} cannot be found`)
    return
  }
  const { catalogue, doubles } = await readCatalogue(directories)
  const { newerRelease } = await syncCatalogue(db, catalogue, RELEASE)
  if (newerRelease !== undefined) {
    log.warn(`The catalogue stays as release ${newerRelease} wrote it, because this is the older release ${RELEASE}`)
    return
  }
  for (const warning of [...doubles, ...catalogueWarnings(catalogue)]) log.warn(warning)
  const { providers, collections } = catalogue
  log.info(`The catalogue has ${providers.length} providers and ${collections.length} collections`)
}

type Options = {
  log: Log
  /** Time between two looks at the files; a change counts once two looks have seen the same. 1000 unless told. */
  intervalMs?: number
}

/**
 * `syncCatalogueFrom` now, and again whenever a file has changed, until it is stopped. Throws what the first sync throws; a bad change later
 * is logged, once, and keeps what there is.
 *
 * The files are looked at rather than subscribed to: that sees files replaced by editors, the symbolic links that Kubernetes swaps in a
 * mounted ConfigMap, and network volumes alike.
 */
export async function followCatalogue(
  db: Pool,
  directories: readonly string[],
  { log, intervalMs = 1000 }: Options,
): Promise<Pick<Loop, 'stop'>> {
  let applied = await stateOf(directories)
  let seen = applied
  await syncCatalogueFrom(db, directories, log)
  const onError = (error: unknown) => log.error('The catalogue could not be stored and will be tried again', error)
  return startLoop(
    async () => {
      const state = await stateOf(directories)
      const isSettled = state === seen
      seen = state
      if (state === applied || !isSettled) return
      try {
        await syncCatalogueFrom(db, directories, log)
      } catch (error) {
        if (!(error instanceof CatalogueError)) throw error
        // The files are at fault: no stack of ours helps.
        log.error('The catalogue stays as it is, because it was changed to something that is not valid', error.message)
      }
      applied = state
    },
    { intervalMs, onError },
  )
}

/** Equal as long as no file came, went or changed. */
async function stateOf(directories: readonly string[]): Promise<string> {
  const folders = directories.flatMap((directory) => (['providers', 'collections'] as const).map((folder) => ({ directory, folder })))
  const lists = await Promise.all(folders.map(({ directory, folder }) => catalogueFiles(directory, folder).catch(() => undefined)))
  const states = await Promise.all(
    lists
      .flatMap((list) => list ?? ['none'])
      .map(async (file) => {
        // Through a symbolic link: of the file that is there now.
        const info = await stat(file).catch(() => undefined)
        return [file, info?.ino, info?.size, info?.mtimeMs].join(' ')
      }),
  )
  return states.join('\n')
}
