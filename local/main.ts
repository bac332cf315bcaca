import { hideVariables } from '#k8s-bridge/local/environment-config.ts'
import { shownByParents } from '#k8s-bridge/local/parent-environments.ts'
import { visible } from '#shared/domain/visible-text.ts'
import { createLog } from '#shared/log.ts'
import { HUB_VARIABLES, readHubConfig, USAGE } from './config.ts'
import { startHub, type Hub } from './hub.ts'

/** `npm start`: the local hub, until Ctrl-C. */

const log = createLog({ write: (line) => process.stderr.write(`${line}\n`), now: () => new Date() })

function fail(error: unknown): never {
  process.stderr.write(`evalhub: ${visible(error instanceof Error ? error.message : String(error))}\n`)
  process.exit(1)
}

function stopOnSignals(starting: Promise<Hub>): void {
  let isStopping = false
  const stop = (signal: 'SIGINT' | 'SIGTERM') => {
    // The second Ctrl-C of somebody who will not wait: what is left over is found at the next start.
    if (isStopping) process.exit(1)
    isStopping = true
    process.stderr.write(`\nStopping (${signal}) …\n`)
    starting.then((hub) => hub.stop()).then(() => process.exit(0), fail)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

// Whoever read it has gone (`npm start | tee log`, Ctrl-C); the hub ends in order all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

try {
  hideVariables(HUB_VARIABLES)
  const config = readHubConfig(process.argv.slice(2))
  if (config === 'help') process.stdout.write(USAGE)
  else {
    const shown = await shownByParents(HUB_VARIABLES)
    if (shown.length > 0) log.warn(`Adapters can read ${shown.join(', ')} in the processes that started this one: see docs/one-machine.md`)
    const onLockLost = () => fail('The database connection that keeps other hubs out was lost, so this hub ends: start it again')
    const starting = startHub({ ...config, log, onLockLost, say: (line) => process.stdout.write(`${line}\n`) })
    stopOnSignals(starting)
    const { url } = await starting
    process.stdout.write(`EvalHub is ready at ${url}\n`)
  }
} catch (error) {
  fail(error)
}
