import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import type { Catalogue } from '#db/commands/sync-catalogue.ts'
import { CollectionFile } from '#shared/models/collection.ts'
import { ProviderFile } from '#shared/models/provider.ts'
import { parseCatalogueFile, type Problem } from './parse-catalogue-file.ts'

/** What keeps a catalogue from being used: every file that is wrong, or the directories that are not there. A line each. */
export class CatalogueError extends Error {
  override readonly name = 'CatalogueError'
}

/** `doubles` says, a sentence each, which ids occurred more than once. */
export type CatalogueFiles = { catalogue: Catalogue; doubles: string[] }

const FOLDERS = ['providers', 'collections'] as const
type Folder = (typeof FOLDERS)[number]

type Entry<File> = { file: string; value: File }

/**
 * Reads `providers/*.yaml` and `collections/*.yaml`, or `*.yml`, of each directory, in order. Of two files with one id the later counts, so a later
 * directory replaces what an earlier one has.
 *
 * A directory may lack either folder, but not both. Unknown keys are ignored; `benchmark_id` and `collection_id` may stand for `id`.
 * Throws a `CatalogueError` that names each bad file with line, place and reason.
 */
export async function readCatalogue(directories: readonly string[]): Promise<CatalogueFiles> {
  const missing = await missingCatalogues(directories)
  if (missing.length > 0) {
    throw new CatalogueError(
      missing.map((one) => `The catalogue ${one} has neither a folder providers nor a folder collections`).join('\n'),
    )
  }
  const problems: Problem[] = []
  const doubles: string[] = []
  const providers = await readAll(directories, 'providers', ProviderFile, problems)
  const collections = await readAll(directories, 'collections', CollectionFile, problems)
  if (problems.length > 0) throw new CatalogueError(problems.map(sentence).join('\n'))
  const catalogue = { providers: lastOfEach(providers, 'provider', doubles), collections: lastOfEach(collections, 'collection', doubles) }
  return { catalogue, doubles }
}

/** Those of the directories that hold neither folder: a volume that is not mounted, or a typing error. */
export async function missingCatalogues(directories: readonly string[]): Promise<string[]> {
  const isThere = await Promise.all(
    directories.map(async (directory) => (await Promise.all(FOLDERS.map((folder) => catalogueFiles(directory, folder)))).some(Boolean)),
  )
  return directories.filter((_, index) => !isThere[index])
}

/** The files of a folder, sorted by name; undefined if there is no such folder. Hidden files are editors' or Kubernetes' own. */
export async function catalogueFiles(directory: string, folder: Folder): Promise<string[] | undefined> {
  const path = join(directory, folder)
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new CatalogueError(`The catalogue folder ${path} cannot be read: ${error.message}`, { cause: error })
  })
  return names
    ?.filter((name) => /\.ya?ml$/i.test(name) && !name.startsWith('.'))
    .sort()
    .map((name) => join(path, name))
}

async function readAll<Schema extends z.ZodType>(
  directories: readonly string[],
  folder: Folder,
  schema: Schema,
  problems: Problem[],
): Promise<Entry<z.output<Schema>>[]> {
  const entries: Entry<z.output<Schema>>[] = []
  for (const directory of directories) {
    for (const file of (await catalogueFiles(directory, folder)) ?? []) {
      const text = await readFile(file, 'utf8').catch((error: Error) => void problems.push({ file, why: error.message }))
      const parsed = text === undefined ? undefined : parseCatalogueFile(file, text, schema)
      if (parsed && 'problems' in parsed) problems.push(...parsed.problems)
      else if (parsed) entries.push({ file, value: parsed.value })
    }
  }
  return entries
}

const sentence = ({ file, line, why }: Problem) => `The catalogue file ${file} is not valid: ${line ? `line ${line}: ` : ''}${why}`

function lastOfEach<File extends { id: string }>(entries: readonly Entry<File>[], noun: string, doubles: string[]): File[] {
  const byId = new Map<string, Entry<File>>()
  for (const entry of entries) {
    const { id } = entry.value
    const earlier = byId.get(id)
    if (earlier) doubles.push(`The ${noun} ${id} of ${entry.file} replaces that of ${earlier.file}`)
    byId.set(id, entry)
  }
  return [...byId.values()].map(({ value }) => value)
}
