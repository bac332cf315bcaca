import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

/** A file of the installed package `swagger-ui-dist`, on Node. */
export async function findDocsFile(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(join(folder, name)))
}
