import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { baseImageOf } from './base-image.ts'
import { BUILDERS, builderOf } from './builder-config.ts'

const USAGE = `Usage: npm run image -- --base NAME@sha256:DIGEST --tag REGISTRY/NAME:TAG [--builder podman|buildah|docker]
       npm run image -- --local-base localhost/NAME:TAG --tag localhost/NAME:TAG [--builder …]

Builds dist/ and makes EvalHub's image of it, on a base with Node 24. A release's base is named by its digest.
Without --builder, the first of the three that is installed.
`

const HOME = fileURLToPath(new URL('..', import.meta.url))

const Options = z.object({
  base: z.string().optional(),
  'local-base': z.string().optional(),
  tag: z.string('is required: the name of the image'),
  builder: z.enum(BUILDERS).optional(),
})

async function run(program: string, args: readonly string[]): Promise<void> {
  const [code] = await once(spawn(program, args, { cwd: HOME, stdio: 'inherit' }), 'exit')
  if (code !== 0) throw new Error(`${program} ended with ${code}`)
}

async function buildImage(argv: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args: argv, options: { base: text, 'local-base': text, tag: text, builder: text } })
  const { error, data } = Options.safeParse(values)
  if (error) throw new Error(error.issues.map(({ path, message }) => `--${path.join('.')} ${message}`).join('; '))
  const base = baseImageOf(data, data.tag)
  const builder = await builderOf(data.builder)
  await run(process.execPath, [join(HOME, 'local/build.ts')])
  await run(builder, ['build', '--file', 'infra/images/Containerfile', '--build-arg', `BASE=${base}`, '--tag', data.tag, 'dist'])
}

try {
  await buildImage(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  process.exit(1)
}
