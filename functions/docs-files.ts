import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** What the documentation page loads; nothing else of the package is served. */
const FILES = new Set(['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'])

const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

/** A file of the documentation page from the installed package, on Node. */
export async function findDocsFile(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return FILES.has(name) ? new Uint8Array(await readFile(join(folder, name))) : undefined
}
