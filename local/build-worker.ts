import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { bundleWorker, WORKER } from './worker-bundle.ts'

/** `wrangler deploy` and `wrangler dev` run this first: what they upload is what `npm run dev:worker` serves and the tests look at. */

const directory = new URL('../dist/', import.meta.url)
const { text } = await bundleWorker(WORKER)
await mkdir(directory, { recursive: true })
await writeFile(fileURLToPath(new URL('worker.mjs', directory)), text)
