import type { Store, TenantStore } from '#db/store.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { Upstreams } from '#shared/domain/rewrite-urls.ts'
import type { FairBudget } from '#shared/fair-budget.ts'
import type { Log } from '#shared/log.ts'
import type { Identity } from './identity/identity.ts'
import type { OpenMemory, RequestMemory } from './memory.ts'

/** What the app is made of; the entries hand it in. */
export type AppOptions = {
  /** The database as this request may use it: on Node the same for all, on Workers one for each. */
  storeOf: (request: Request) => Store
  identity: Identity
  log: Log
  now: () => Date
  /** A new UUIDv7. */
  newId: () => string
  /** A new random UUID, for requests that bring no id. */
  newRequestId: () => string
  /** Bytes of a request body at most. */
  maxBodyBytes: number
  /** Bytes of logs in one answer at most, headers between them not counted; 50 MiB unless told. */
  maxLogBytes?: number
  /** Resolves if requests would find their database, else rejects with what is wrong; asks as a request would unless told. */
  checkReady?: () => Promise<void>
  /** Time for an answer to be ready; as long as the published server takes unless told. */
  answerLimitMs?: number
  /** Requests at work at once; 2000 unless told. */
  maxConcurrentRequests?: number
  /** Told of the places of requests at work, once. */
  onPlaces?: (places: Pick<FairBudget, 'used'>) => void
  /** Opens the memory of each request, which may be shared with another app; unless told 64 MiB for all of this one, and 5 s to wait for it. */
  openMemory?: OpenMemory
  /** Told of each request when its answer is ready, with what the runtime handed in beside the request. */
  onAnswered?: (request: AnsweredRequest, runtime: unknown) => void
  /** Of EvalHub, as the page at the root of a hub without identities names it. */
  release?: string
  /** What `/metrics` answers; without it there is no such path. Callers may share it. */
  readMetrics?: () => Promise<{ type: string; bytes: Uint8Array<ArrayBuffer> }>
  /** What is behind the sidecar, as messages shall name it; absent: only its usual base is known. */
  upstreams?: Upstreams
  /** A file of the package `swagger-ui-dist`, which the documentation page is made with. Asked for what the page loads only. */
  findDocsFile: (name: string) => Promise<Uint8Array<ArrayBuffer>>
}

/** What is known of a request when its answer is ready. */
export type AnsweredRequest = {
  requestId: string
  method: string
  /** The pattern of its path, as the published server names it; absent where the path is none of ours. */
  route: string | undefined
  path: string
  status: number
  /** Absent where none was found out; empty for a caller without one. */
  tenant?: string
  /** Who asked; the same. */
  user?: string
}

/** What a server hands over beside the request: Node's own request and answer, and nothing on Workers. */
type ServerBindings = {
  incoming?: { url?: string; httpVersion: string }
  outgoing?: {
    addTrailers: (trailers: Record<string, string>) => void
    once: (event: 'close', tell: () => void) => void
    destroy: () => void
    /** All of it was sent. */
    writableFinished: boolean
    destroyed: boolean
  }
}

/** What a request comes with, and what middleware puts on its context. */
export type AppEnv = {
  Bindings: ServerBindings
  Variables: {
    /** From `X-Global-Transaction-Id`, else made here. Errors carry it as `trace`. */
    requestId: string
    /** Aborted when nobody waits for the answer any more, with what is to be answered all the same. */
    signal: AbortSignal
    /** Answers `unavailable` with this sentence, unless it is answered, and aborts `signal`. */
    giveUp: (why: string) => void
    /** On whose account it takes what requests share: its tenant's, or for an adapter its job's. Of requests below `/api/v1/evaluations`. */
    party: string
    /** What it may hold of the process's memory; of requests below `/api/v1/evaluations`. */
    memory: RequestMemory
    tenantStore: TenantStore
    /** Whose things the request is about, as far as that is known. */
    tenant?: string
    /** Who asks, where that is no adapter. */
    user?: string
    /** Who posts an event: the adapter of an attempt, or a caller for the runs of its tenant; empty where no identity is required. */
    reporter: { run?: AttemptKey; tenant?: string }
  }
}
