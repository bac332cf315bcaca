import { limitsOf, openFairPool } from '#db/fair-pool.ts'
import { openStore, type Store } from '#db/store.ts'
import { createLog } from '#shared/log.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { createApp } from './app.ts'
import { createMemory } from './memory.ts'
import { isStreamed } from './streamed-answer.ts'
import { readWorkerConfig, type WorkerConfig } from './worker-config.ts'

/** The Cloudflare Worker: the same app as on Node, each request with a connection of its own. */

/** What the runtime gives with a request. */
type ExecutionContext = { waitUntil: (work: Promise<unknown>) => void }

const MAX_BODY_BYTES = 10 * 1024 * 1024

/** A quarter of what an isolate has. No request can wait for another, whose end it would not be told of. */
const MEMORY = { bytes: 32 * 1024 * 1024, waitMs: 0 }

/** For what is still under way when a request was answered because it took too long. */
const END_LIMIT_SECONDS = 5

/** A little more than a request may take. */
const STATEMENT_MS = 16_000

/** What connections are told, unless one was refused for it in this isolate. */
const limits = limitsOf(STATEMENT_MS)

/** Of the requests under way. A Worker may use a connection only in the request that opened it, so nothing longer-lived has one. */
const stores = new WeakMap<Request, Store>()

function storeOf(request: Request): Store {
  const store = stores.get(request)
  if (!store) throw new Error('a request without a database')
  return store
}

function start(config: WorkerConfig) {
  const app = createApp({
    storeOf,
    identity: config.identity,
    log: createLog({ write: (line) => console.log(line), now: () => new Date() }),
    now: () => new Date(),
    newId: uuidV7Source({ now: () => Date.now(), random: (bytes) => void crypto.getRandomValues(bytes) }),
    newRequestId: () => crypto.randomUUID(),
    maxBodyBytes: MAX_BODY_BYTES,
    openMemory: createMemory(MEMORY).open,
    findDocsFile: async (name) => {
      // The host is of no account to the binding.
      const response = await config.assets.fetch(`https://assets/${name}`)
      if (!response.ok) throw new Error(`the assets of this deployment have no ${name}: ${response.status}`)
      return new Uint8Array(await response.arrayBuffer())
    },
  })
  return { app, databaseUrl: config.databaseUrl, quotas: config.quotas }
}

/** What this isolate keeps from request to request: the app, and in it the keys of the issuer of tokens. */
let started: ReturnType<typeof start> | undefined

/** Tells when `response` has been sent, or its client is gone: a log is read from the database meanwhile. Most answers in JSON are whole before. */
function whileSent(response: Response, tell: (sent: Promise<void>) => void): Response {
  if (!response.body || (response.headers.get('content-type') === 'application/json' && !isStreamed(response))) return response
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  tell(response.body.pipeTo(writable).catch(() => undefined))
  return new Response(readable, response)
}

export default {
  async fetch(request: Request, env: unknown, context: ExecutionContext): Promise<Response> {
    started ??= start(readWorkerConfig(env))
    const pool = openFairPool(started.databaseUrl(), { max: 1, statementMs: STATEMENT_MS, limits })
    stores.set(request, openStore(pool, started.quotas))
    let sent: Promise<void> | undefined
    try {
      const response = whileSent(await started.app.fetch(request), (promise) => (sent = promise))
      // A body that a refusal left unread would cost the client its connection, perhaps before it has seen the answer.
      if (request.body && !request.bodyUsed) await request.body.pipeTo(new WritableStream())
      return response
    } finally {
      // Nobody waits for it, but the bridge's notification, which may still be under way, is waited for.
      context.waitUntil(Promise.resolve(sent).then(() => pool.end({ timeout: END_LIMIT_SECONDS })))
    }
  },
}
