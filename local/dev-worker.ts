import { createLog } from '#shared/log.ts'
import { DEV_WORKER_USAGE, readDevWorkerConfig, type DevWorkerConfig } from './dev-worker-config.ts'
import { openHubDatabase } from './hub-database.ts'
import { startWorker } from './worker-server.ts'

/** `npm run dev:worker`: the Worker on workerd and a database for it, until Ctrl-C. */

const say = (line: string) => process.stderr.write(`${line}\n`)
const log = createLog({ write: say, now: () => new Date() })

function fail(error: unknown): never {
  say(`evalhub: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}

async function start(config: DevWorkerConfig, stack: AsyncDisposableStack): Promise<string> {
  const onLockLost = () => fail('The database connection that keeps other hubs out was lost, so this one ends: start it again')
  const { url: databaseUrl } = await openHubDatabase({ ...config, catalogues: [], log, onLockLost }, stack)
  const worker = await startWorker({ databaseUrl, port: config.port, onLog: say })
  stack.defer(() => worker.stop())
  return worker.url
}

function stopOnce(starting: Promise<string>, stack: AsyncDisposableStack): () => void {
  let isStopping = false
  return () => {
    if (isStopping) process.exit(1)
    isStopping = true
    say('\nStopping …')
    starting
      .then(() => stack.disposeAsync())
      .then(() => process.exit(0))
      .catch(fail)
  }
}

function onSignals(stop: () => void): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeAllListeners(signal).on(signal, stop)
}

try {
  const config = readDevWorkerConfig(process.argv.slice(2))
  if (config === 'help') process.stdout.write(DEV_WORKER_USAGE)
  else {
    const stack = new AsyncDisposableStack()
    const starting = start(config, stack)
    const stop = stopOnce(starting, stack)
    onSignals(stop)
    const url = await starting.catch(async (error: unknown) => {
      await stack.disposeAsync()
      throw error
    })
    // Miniflare has meanwhile added listeners that end this process at once, and leave the database running.
    onSignals(stop)
    process.stdout.write(`EvalHub (Worker) is ready at ${url}\n`)
  }
} catch (error) {
  fail(error)
}
