import { copyFile, cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { DOCS_FILES } from '#functions/routes/docs.ts'
import packageFile from '../package.json' with { type: 'json' }
import { mendPostgres } from './mend-postgres.ts'
import { NODE_CHECK, NODE_MIN } from './node-version.ts'
import { packagesOf, readSbom, sbomOf } from './sbom.ts'

/**
 * `npm run build [-- DIR]`: what an image of production has beside Node, in `dist` unless told: the directory is the root of the image.
 *
 * `app/<entry>.mjs`, one program each with all that it imports; `app/migrations`, `app/data`, `catalogue` and `node_modules/swagger-ui-dist`,
 * where those programs look for them; `sidecar/init.ts` and `adapters/builtin/main.ts`, which lead to programs that others start. `app/sbom.cdx.json` lists the packages that all of this is made of, in CycloneDX's form.
 */

/** The processes of production. */
const ENTRIES = {
  functions: 'functions/server.ts',
  bridge: 'k8s-bridge/main.ts',
  migrate: 'k8s-bridge/migrate.ts',
  sidecar: 'sidecar/main.ts',
  init: 'sidecar/init.ts',
  builtin: 'adapters/builtin/main.ts',
}

const HOME = fileURLToPath(new URL('..', import.meta.url))

/** Packages in the older module format ask for what Node has built in by a function that modules lack. */
const REQUIRE = `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`

/** Started by their sources' names, from `EVALHUB_HOME`: by the catalogue, by copies of it, and by the runtime `local`. */
const STARTED_BY_NAME = ['init', 'builtin'] as const

/** Answers the files that they were made of. */
async function writePrograms(directory: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: ENTRIES,
    absWorkingDir: HOME,
    outdir: join(directory, 'app'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: `node${NODE_MIN}`,
    // Stack traces keep their names; lines are those of the program.
    minifyWhitespace: true,
    minifySyntax: true,
    banner: { js: `${REQUIRE} ${NODE_CHECK}` },
    logLevel: 'warning',
    metafile: true,
    plugins: [mendPostgres],
  })
  return Object.keys(metafile.inputs)
}

/** At the place of each such source, a line that runs what was built of it. */
async function writeNames(directory: string): Promise<void> {
  for (const entry of STARTED_BY_NAME) {
    const file = join(directory, ENTRIES[entry])
    await mkdir(dirname(file), { recursive: true })
    const program = relative(dirname(file), join(directory, 'app', `${entry}.mjs`)).replaceAll('\\', '/')
    await writeFile(file, `import('${program}')\n`)
  }
}

async function copyFiles(directory: string): Promise<void> {
  const docs = join(directory, 'node_modules/swagger-ui-dist')
  await mkdir(docs, { recursive: true })
  const docsFiles = ['package.json', 'LICENSE', 'NOTICE', 'swagger-ui-bundle.js.LICENSE.txt', ...DOCS_FILES]
  await Promise.all([
    cp(join(HOME, 'db/migrations'), join(directory, 'app/migrations'), { recursive: true }),
    cp(join(HOME, 'adapters/builtin/data'), join(directory, 'app/data'), { recursive: true }),
    ...['providers', 'collections'].map((name) =>
      cp(join(HOME, 'catalogue', name), join(directory, 'catalogue', name), { recursive: true }),
    ),
    ...docsFiles.map((name) => copyFile(join(HOME, 'node_modules/swagger-ui-dist', name), join(docs, name))),
  ])
}

const directory = resolve(process.argv[2] ?? 'dist')
// Only what this writes is removed: the directory may be anybody's.
await Promise.all(
  ['app', 'catalogue', 'node_modules/swagger-ui-dist', ...STARTED_BY_NAME.map((entry) => ENTRIES[entry])].map((name) =>
    rm(join(directory, name), { recursive: true, force: true }),
  ),
)
const files = await writePrograms(directory)
await Promise.all([copyFiles(directory), writeNames(directory)])
const parts = await packagesOf(HOME, [...files, 'node_modules/swagger-ui-dist/package.json'])
const sbom = sbomOf(await readSbom(HOME), packageFile.name, parts)
await writeFile(join(directory, 'app/sbom.cdx.json'), `${JSON.stringify(sbom, undefined, 2)}\n`)
