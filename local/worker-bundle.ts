import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { mendPostgres } from './mend-postgres.ts'

const HOME = fileURLToPath(new URL('..', import.meta.url))

export const WORKER = 'functions/worker.ts'

/**
 * An entry of the Worker as one file with its database driver mended, and what went into it. `entry` is absolute, or relative to the project.
 *
 * Packages are resolved as wrangler resolves them; what the runtime has built in stays an import.
 */
export async function bundleWorker(entry: string) {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    absWorkingDir: HOME,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['node:*', 'cloudflare:*'],
    plugins: [mendPostgres],
  })
  return { text: outputFiles.map((file) => file.text).join(''), metafile }
}
