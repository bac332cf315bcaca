import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { z } from 'zod'
import type { Catalogue } from '#db/commands/sync-catalogue.ts'
import { decodeValue } from '#shared/decode.ts'
import { CollectionFile } from '#shared/models/collection.ts'
import { ProviderFile } from '#shared/models/provider.ts'

/**
 * Reads `providers/*.yaml` and `collections/*.yaml` of each directory. What a later directory has replaces what an earlier one has under the same id.
 *
 * A directory may lack either folder, but not both. Throws an Error of one line that names the file, the place and the reason.
 */
export async function readCatalogue(directories: readonly string[]): Promise<Catalogue> {
  const providers = new Map<string, ProviderFile>()
  const collections = new Map<string, CollectionFile>()
  for (const directory of directories) {
    const [ownProviders, ownCollections] = await Promise.all([
      readFolder(join(directory, 'providers'), ProviderFile, 'Provider'),
      readFolder(join(directory, 'collections'), CollectionFile, 'Collection'),
    ])
    if (!ownProviders && !ownCollections) {
      throw new Error(`The catalogue ${directory} has neither a folder providers nor a folder collections`)
    }
    for (const provider of ownProviders ?? []) providers.set(provider.id, provider)
    for (const collection of ownCollections ?? []) collections.set(collection.id, collection)
  }
  return { providers: [...providers.values()], collections: [...collections.values()] }
}

/** Undefined if there is no such folder. */
async function readFolder<Schema extends z.ZodType>(folder: string, schema: Schema, name: string): Promise<z.output<Schema>[] | undefined> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new Error(`The catalogue folder ${folder} cannot be read: ${error.message}`, { cause: error })
  })
  const files = names?.filter((file) => file.endsWith('.yaml')).sort()
  return files && Promise.all(files.map((file) => readEntry(join(folder, file), schema, name)))
}

async function readEntry<Schema extends z.ZodType>(file: string, schema: Schema, name: string): Promise<z.output<Schema>> {
  const text = await readFile(file, 'utf8')
  try {
    return decodeValue(schema, name, withAliases(parse(text)))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`The catalogue file ${file} is not valid: ${reason.trim().replace(/\s*\n\s*/g, '; ')}`, { cause: error })
  }
}

/** `benchmark_id` and `collection_id` mean `id`: that is how other tools of the ecosystem write these files. */
function withAliases(content: unknown): unknown {
  if (!isObject(content)) return content
  const { benchmarks } = content
  return {
    ...aliased(content, 'collection_id'),
    ...(Array.isArray(benchmarks) && {
      benchmarks: benchmarks.map((entry: unknown) => (isObject(entry) ? aliased(entry, 'benchmark_id') : entry)),
    }),
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const aliased = (content: Record<string, unknown>, alias: string) =>
  content.id === undefined ? { ...content, id: content[alias] } : content
