import { copyFile, cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { DOCS_FILES } from '#functions/routes/docs.ts'
import packageFile from '../package.json' with { type: 'json' }
import { mendPostgres } from './mend-postgres.ts'
import { packagesOf, readSbom, sbomOf } from './sbom.ts'

/**
 * `npm run build [-- DIR]`: what an image of production has beside Node, in `dist` unless told: the directory is the root of the image.
 *
 * `app/<entry>.mjs`, one program each with all that it imports; `app/migrations`, `app/data`, `catalogue` and `node_modules/swagger-ui-dist`,
 * where those programs look for them. `app/sbom.cdx.json` lists the packages that all of this is made of, in CycloneDX's form.
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
    target: 'node22',
    // Stack traces keep their names; lines are those of the program.
    minifyWhitespace: true,
    minifySyntax: true,
    banner: { js: REQUIRE },
    logLevel: 'warning',
    metafile: true,
    plugins: [mendPostgres],
  })
  return Object.keys(metafile.inputs)
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
  ['app', 'catalogue', 'node_modules/swagger-ui-dist'].map((name) => rm(join(directory, name), { recursive: true, force: true })),
)
const files = await writePrograms(directory)
await copyFiles(directory)
const parts = await packagesOf(HOME, [...files, 'node_modules/swagger-ui-dist/package.json'])
const sbom = sbomOf(await readSbom(HOME), packageFile.name, parts)
await writeFile(join(directory, 'app/sbom.cdx.json'), `${JSON.stringify(sbom, undefined, 2)}\n`)
