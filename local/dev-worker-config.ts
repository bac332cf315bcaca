import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { Port } from '#shared/models/setting.ts'

export const DEV_WORKER_USAGE = `Serves the API as the Cloudflare Worker of wrangler.toml, on this machine, without a bridge: jobs stay pending.

Usage: npm run dev:worker -- [options]

  --port N          port of 127.0.0.1 to listen on, 0 for any free one (default 8787)
  --data-dir DIR    where the database is (default .evalhub)
  --help            prints this

  DATABASE_URL=postgres://…   uses that database instead of the embedded one
`

const Options = z.object({
  port: Port,
  'data-dir': z.string().min(1, 'must name a directory'),
})

export type DevWorkerConfig = {
  port: number
  /** Absolute. */ dataDir: string
  /** Undefined: the embedded database. */ databaseUrl?: string
}

/** What `npm run dev:worker` shall do, by its arguments and environment. Throws one line that names every mistake. */
export function readDevWorkerConfig(argv: string[], env: Record<string, string | undefined> = process.env): DevWorkerConfig | 'help' {
  const { values } = parseArgs({
    args: argv,
    options: {
      port: { type: 'string', default: '8787' },
      'data-dir': { type: 'string', default: '.evalhub' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const result = Options.safeParse(values)
  if (!result.success) throw new Error(result.error.issues.map(({ path, message }) => `--${path.join('.')} ${message}`).join('; '))
  const { port, 'data-dir': dataDir } = result.data
  return { port, dataDir: resolve(dataDir), ...(env.DATABASE_URL && { databaseUrl: env.DATABASE_URL }) }
}
