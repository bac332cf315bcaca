import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import { oneAtATime } from '#shared/one-at-a-time.ts'
import { shareUnderWay } from '#shared/share-under-way.ts'
import type { BridgeOptions, LoopName } from './bridge.ts'

/** A bridge that stands still for as long is to be restarted; a pass that takes long, because the cluster does, is not. */
const ALIVE_MS = 5 * 60_000

/** Passes come every second. */
const READY_MS = 30_000

/** More than any installation has scrapers: answers that may be under way at once. */
const SCRAPES = 32

/** For an answer to be made and sent; who does not read it is cut off then. */
const SEND_LIMIT_MS = 20_000

const CONNECTIONS = 1000

const LOOPS = ['launching', 'observing'] as const satisfies readonly LoopName[]

/** When passes ended, by their loop, in milliseconds of the process's monotonic clock. */
export type Passes = {
  /** When this was made. */
  startedAtMs: number
  /** The last one that did all it was to do. */
  completedAtMs: Partial<Record<LoopName, number>>
  /** The last one, however it ended. */
  endedAtMs: Partial<Record<LoopName, number>>
  /** Why none is made yet: somebody else has to do something first. */
  waitsFor?: string | undefined
}

/** What the bridge tells of its passes is noted in `passes`. */
export const notePasses =
  (passes: Passes, nowMs: () => number): NonNullable<BridgeOptions['onPass']> =>
  (loop, isComplete) => {
    passes.endedAtMs[loop] = nowMs()
    if (isComplete) passes.completedAtMs[loop] = nowMs()
  }

export type Health = {
  isAlive: boolean
  isReady: boolean
  /** Of the loop that is further behind; null if one has not yet done all it was to do. */
  secondsSincePass: number | null
}

/** Alive: passes of both loops end, be it in an error, since a restart brings no database back, or there is a reason for none. Ready: they succeed. */
export function healthOf({ startedAtMs, completedAtMs, endedAtMs, waitsFor }: Passes, nowMs: number): Health {
  const endedMs = Math.min(...LOOPS.map((loop) => endedAtMs[loop] ?? startedAtMs))
  const completedMs = Math.min(...LOOPS.map((loop) => completedAtMs[loop] ?? -Infinity))
  return {
    isAlive: waitsFor !== undefined || nowMs - endedMs < ALIVE_MS,
    isReady: nowMs - completedMs < READY_MS,
    secondsSincePass: Number.isFinite(completedMs) ? Math.round((nowMs - completedMs) / 1000) : null,
  }
}

type Options = {
  host: string
  /** 0 takes a free one. */
  port: number
  passes: Passes
  registry: Registry
  /** Brings what the registry holds up to date; what it rejects with is not the scraper's. */
  refresh: () => Promise<void>
}

export type HealthServer = { port: number; close: () => Promise<void> }

/** Answers `/healthz`, `/readyz` and `/metrics`, and nothing else: nobody submits anything here. */
export async function serveHealth({ host, port, ...rest }: Options): Promise<HealthServer> {
  const listener = oneAtATime(answerer(rest))
  // Those without a host, or with an odd expectation, Node would answer itself, however many come at once.
  const server = createServer({ requireHostHeader: false }, listener).on('checkExpectation', listener)
  server.maxConnections = CONNECTIONS
  await listening(server, host, port)
  // A server that listens on TCP has an address of this form.
  return { port: (server.address() as AddressInfo).port, close: () => closed(server) }
}

function answerer({ passes, registry, refresh }: Omit<Options, 'host' | 'port'>) {
  const readMetrics = shareUnderWay(async () => {
    await refresh()
    return Buffer.from(await registry.metrics())
  })
  let scrapes = 0
  return (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url?.split('?')[0]
    const answer = (isGood: boolean, type: string, text: string | Buffer) => {
      response.writeHead(isGood ? 200 : 503, { 'Content-Type': type })
      response.end(text)
    }
    if (path === '/metrics' && scrapes < SCRAPES) {
      scrapes++
      const limit = setTimeout(() => response.destroy(), SEND_LIMIT_MS)
      response.once('close', () => {
        scrapes--
        clearTimeout(limit)
      })
      readMetrics().then(
        (text) => answer(true, registry.contentType, text),
        () => response.destroy(),
      )
    } else if (path === '/metrics') {
      response.setHeader('Retry-After', '2')
      answer(false, 'text/plain', `${SCRAPES} scrapers are being answered already\n`)
    } else if (path === '/healthz' || path === '/readyz') {
      const { isAlive, isReady, secondsSincePass } = healthOf(passes, performance.now())
      const body = { status: isReady ? 'ready' : 'waiting', seconds_since_pass: secondsSincePass, waits_for: passes.waitsFor }
      answer(path === '/healthz' ? isAlive : isReady, 'application/json', `${JSON.stringify(body)}\n`)
    } else {
      response.writeHead(404, { 'Content-Type': 'text/plain' })
      response.end('404 page not found\n')
    }
  }
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new Error(`Cannot listen on ${host}:${port} (METRICS_HOST, METRICS_PORT): ${cause.message}`, { cause })),
    )
    server.listen(port, host, resolve)
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
