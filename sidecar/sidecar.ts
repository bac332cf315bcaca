import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { formatLastWords } from '#shared/domain/last-words.ts'
import { HubError } from '#shared/errors.ts'
import { gatherBytes } from '#shared/gather-bytes.ts'
import type { Log } from '#shared/log.ts'
import type { SidecarSettings } from './config.ts'
import { formatEvent, type SidecarEvent } from './event.ts'
import { createGuard } from './guard.ts'
import { proxyMlflow } from './mlflow-proxy.ts'
import { proxyModel } from './model-proxy.ts'
import { readCredentials } from './oci-auth.ts'
import { createOciProxy, registryUrl } from './oci-proxy.ts'
import { createPoster } from './post-event.ts'
import { createRelay, type Relay } from './relay.ts'
import { routeOf } from './route.ts'
import { sendJson, sendText, serve } from './server.ts'
import { openSpool } from './spool.ts'
import { createTransport } from './transport.ts'
import { noUsage, type ModelUsage } from './usage.ts'

export type Sidecar = {
  port: number
  /**
   * Resolves when the hub has acknowledged every event, with what it has not acknowledged when `giveUpMs` are over. Terminal events that are
   * left after `aloudMs` are written as last words at once, since nobody says before a SIGKILL that it comes.
   */
  finish: (limits: { aloudMs: number; giveUpMs: number }) => Promise<number>
  /** Stops at once. What is in the spool stays there. */
  close: () => void
}

type Rim = {
  log: Log
  /** Writes one line where the bridge reads it. */
  write: (line: string) => void
  random: () => number
}

/** Starts the sidecar of one run. Throws one line if it cannot do what it is there for. */
export async function startSidecar(settings: SidecarSettings, { log, write, random }: Rim): Promise<Sidecar> {
  const { run, limits, oci } = settings
  await readFile(settings.runTokenPath, 'utf8')
  if (oci && (await readCredentials(oci.authPath, oci.host, oci.repository)) === undefined) {
    log.info(`No credentials for ${registryUrl(oci.host).host}: it is asked without any`)
  }
  const { spool, left } = await openSpool(settings.spoolPath)
  if (left.length > 0) log.info('Events of an earlier sidecar of this run are sent again', { count: left.length })
  const usage = noUsage()
  const relay = createRelay({
    run,
    retryMs: limits.retryMs,
    spool,
    left,
    complete: completer(settings, usage, log),
    post: createPoster(settings, createTransport({ ...settings.hub, limits })),
    log,
    random,
  })
  const server = await serve({
    port: settings.port,
    routeOf: (target) => routeOf(target, oci?.repository),
    handlers: handlersOf(settings, relay, usage),
    log,
  })
  const close = () => {
    server.close()
    relay.stop()
  }
  return { port: server.port, close, finish: (bounds) => finish(relay, write, bounds) }
}

function handlersOf(settings: SidecarSettings, relay: Relay, usage: ModelUsage): Parameters<typeof serve>[0]['handlers'] {
  const { hub, otherHubs = [], mlflow, model, oci, limits, port, apiServer } = settings
  const inside = {
    hubs: [hub, ...otherHubs],
    ownPort: port,
    ...(apiServer !== undefined && { apiServer }),
  }
  const mlflowTransport = createTransport({ ...mlflow, guard: createGuard(inside), limits })
  const modelTransport = createTransport({ ...model, guard: createGuard(inside, model?.allowedRanges), limits })
  const proxyOci = oci && createOciProxy(oci, createTransport({ ...oci, guard: createGuard(inside), limits }))
  const notThere = async (response: ServerResponse, text: string) => sendText(response, 400, text)
  return {
    health: async (_, response) => void response.writeHead(200).end(),
    hub: (request, response) => takeEvent(settings, relay, request, response),
    mlflow: (request, response) =>
      mlflow ? proxyMlflow(mlflow, mlflowTransport, request, response) : notThere(response, 'mlflow proxy is not configured'),
    oci: (request, response) => (proxyOci ? proxyOci(request, response) : notThere(response, 'oci proxy is not configured')),
    model: (request, response) =>
      model ? proxyModel(model, modelTransport, usage, request, response) : notThere(response, `unknown proxy call: ${request.url}`),
    malformed: (_, response) => notThere(response, MALFORMED),
  }
}

const MALFORMED =
  'the request names a whole URL, or a path that may be read in two ways: one with an empty segment, dots, a backslash or a control character in it, with parts that are encoded twice or not in UTF-8, or with letters or slashes encoded that say whom it is for'

/** The hub's own limit, for what comes and for what is made of it. */
const EVENT_BYTES = 10 * 1024 * 1024

async function takeEvent({ run }: SidecarSettings, relay: Relay, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = `/api/v1/evaluations/jobs/${encodeURIComponent(run.evaluationId)}/events`
  if (request.method !== 'POST' || (request.url ?? '').replace(/\?.*$/s, '') !== path) {
    throw HubError.of('forbidden', { Error: `An adapter reports on its own run and does nothing else here: only POST ${path} is allowed.` })
  }
  const gathered = gatherBytes()
  let bytes = 0
  for await (const chunk of request) {
    const buffer = chunk as Buffer // no encoding is set
    bytes += buffer.length
    if (bytes > EVENT_BYTES) throw tooLarge()
    gathered.add(buffer)
  }
  // As the hub reads the bytes of a body.
  const refusal = await relay.take(new TextDecoder().decode(gathered.take()))
  if (refusal) sendJson(response, refusal.status, refusal.body)
  else response.writeHead(204).end()
}

const tooLarge = () => HubError.of('request_body_too_large', { Limit: String(EVENT_BYTES) })

/** Gives events what only the sidecar knows: the commit of the test data for runs that have one, and what was asked of models. */
function completer({ commitPath }: SidecarSettings, usage: ModelUsage, log: Log) {
  let commit: string | undefined
  return async (event: SidecarEvent): Promise<string> => {
    if (commitPath !== undefined) {
      commit ??= await readCommit(commitPath)
      if (commit === undefined) log.info(`${commitPath} names no commit of the test data`)
    }
    const text = formatEvent(event, { commit, usage })
    // 1e20 becomes 21 digits.
    if (Buffer.byteLength(text) > EVENT_BYTES) throw tooLarge()
    return text
  }
}

async function readCommit(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return /^[0-9a-f]{7,40}$/i.exec(text.trim())?.[0]
}

async function finish(relay: Relay, write: (line: string) => void, { aloudMs, giveUpMs }: { aloudMs: number; giveUpMs: number }) {
  const said = new Set<string>()
  const sayRest = () => {
    for (const text of relay.undelivered().filter((each) => !said.has(each))) {
      said.add(text)
      write(formatLastWords(text))
    }
  }
  const aloud = setTimeout(sayRest, aloudMs)
  const { promise: late, resolve: giveUp } = Promise.withResolvers<void>()
  const end = setTimeout(giveUp, giveUpMs)
  await Promise.race([relay.flush(), late])
  clearTimeout(aloud)
  clearTimeout(end)
  sayRest()
  return relay.undelivered().length
}
