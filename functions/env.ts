import type { Store, TenantStore } from '#db/store.ts'
import type { Upstreams } from '#shared/domain/rewrite-urls.ts'
import type { Log } from '#shared/log.ts'
import type { RunAttempt } from '#shared/run-token.ts'
import type { Identity } from './identity/identity.ts'

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
  /** What is behind the sidecar; absent: only its usual base is known. */
  upstreams?: Upstreams
  /** A file of the package `swagger-ui-dist`, which the documentation page is made with. Asked for what the page loads only. */
  findDocsFile: (name: string) => Promise<Uint8Array<ArrayBuffer>>
}

/** What a server hands over beside the request: Node's own request and answer, and nothing on Workers. */
type ServerBindings = {
  incoming?: { url?: string; httpVersion: string }
  outgoing?: { addTrailers: (trailers: Record<string, string>) => void }
}

/** What a request comes with, and what middleware puts on its context. */
export type AppEnv = {
  Bindings: ServerBindings
  Variables: {
    /** From `X-Global-Transaction-Id`, else made here. Errors carry it as `trace`. */
    requestId: string
    tenantStore: TenantStore
    /** Who posts an event: the adapter of an attempt, or a caller for the runs of its tenant; empty where no identity is required. */
    reporter: { run?: RunAttempt; tenant?: string }
  }
}
