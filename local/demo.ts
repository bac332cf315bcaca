import { constants } from 'node:os'
import { hideVariables } from '#k8s-bridge/local/environment-config.ts'
import { defaultParallel } from './config.ts'
import { DEMO_USAGE, demoRequest, terminalFrom } from './demo-config.ts'
import { runDemo } from './demo-run.ts'
import { startHub } from './hub.ts'
import { createScreen, harmless } from './terminal.ts'

/** Where there is no terminal to ask. */
const DEFAULT_SIZE = { columns: 100, rows: 24 }

const request = demoRequest(process.argv.slice(2))

if (request.do === 'help') process.stdout.write(DEMO_USAGE)
else if (request.do === 'refuse') {
  process.stderr.write(`${request.why}\n\n${DEMO_USAGE}`)
  process.exitCode = 2
} else {
  hideVariables(request.secrets)
  const stop = new AbortController()
  let signalled: NodeJS.Signals = 'SIGINT'
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      signalled = name
      stop.abort()
    })
  }
  // The reader has gone (`| head`, a closed terminal): end in order, and write no more.
  process.stdout.on('error', () => stop.abort())

  const screen = createScreen((text) => process.stdout.write(text))
  const told = new Set<string>()
  /** What the hub has to say, once each: it repeats what it could not do until it can. */
  const error = (message: string, reason: unknown) => {
    const line = `  ${harmless(`${message}: ${reason instanceof Error ? reason.message : String(reason)}`)}`
    if (!told.has(line)) screen.say(line)
    told.add(line)
  }
  const hub = {
    port: 0,
    maxParallel: defaultParallel(),
    catalogues: [],
    allowProviderCommands: false,
    environment: request.environment,
    log: { info: () => undefined, warn: () => undefined, error },
  }
  const onLockLost = (onLost: (why: Error) => void) => () => onLost(new Error('The connection to the embedded database was lost'))

  const outcome = await runDemo(request.config, {
    startHub: ({ dataDir, allowPaths, onLost }) => startHub({ ...hub, dataDir, allowPaths, onLockLost: onLockLost(onLost) }),
    screen,
    columns: () => process.stdout.columns || DEFAULT_SIZE.columns,
    rows: () => process.stdout.rows || DEFAULT_SIZE.rows,
    ...terminalFrom(process.stdout),
    signal: stop.signal,
  })
  process.exitCode = { done: 0, failed: 1, stopped: 128 + constants.signals[signalled] }[outcome]
}
