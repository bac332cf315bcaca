import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Log, LogLevel, Miniflare } from 'miniflare'
import { unstable_readConfig as readConfig } from 'wrangler'
import { z } from 'zod'
import { bundleWorker, WORKER } from './worker-bundle.ts'

const HOME = fileURLToPath(new URL('..', import.meta.url))

/** What of `wrangler.toml` the Worker notices. */
const Settings = z.object({
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()),
  hyperdrive: z.array(z.object({ binding: z.string() })),
  assets: z.object({ directory: z.string(), binding: z.string(), run_worker_first: z.boolean() }),
})

const readSettings = () => Settings.parse(readConfig({ config: `${HOME}wrangler.toml` }))

export type WorkerServer = {
  /** Base of the API, without a path. */
  url: string
  stop(): Promise<void>
}

type Options = {
  /** What Hyperdrive would stand for. */
  databaseUrl: string
  /** 0: any free one. */
  port: number
  /** Given a line of what the Worker logs. */
  onLog: (line: string) => void
  /** In place of mode `none`. */
  vars?: Record<string, string>
}

/**
 * Serves the Worker of `wrangler.toml` on workerd, on 127.0.0.1, with identity mode `none`. Resolves when it answers.
 *
 * No other host is asked for anything, and nothing is reported to anybody. Miniflare ends this process at a SIGINT or SIGTERM, unless its
 * listeners are taken away; at an exit it ends workerd.
 */
export async function startWorker({ databaseUrl, port, onLog, vars = {} }: Options): Promise<WorkerServer> {
  const { assets, hyperdrive, ...settings } = readSettings()
  const { text } = await bundleWorker(WORKER)
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port,
    cf: false, // else it asks a host of Cloudflare where this machine is
    telemetry: { enabled: false },
    log: new Log(LogLevel.ERROR),
    // Miniflare refuses one that answers anything.
    handleStructuredLogs: ({ message }: { message: string }) => void onLog(message),
    modules: true,
    script: text,
    compatibilityDate: settings.compatibility_date,
    compatibilityFlags: settings.compatibility_flags,
    bindings: { IDENTITY_MODE: 'none', ...vars },
    hyperdrives: Object.fromEntries(hyperdrive.map(({ binding }) => [binding, databaseUrl])),
    assets: {
      directory: join(HOME, assets.directory),
      binding: assets.binding,
      routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: assets.run_worker_first },
    },
  })
  const { port: bound } = await miniflare.ready
  return { url: `http://localhost:${bound}`, stop: () => miniflare.dispose() }
}
