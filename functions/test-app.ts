import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { Pool } from '#db/client.ts'
import { openStore } from '#db/store.ts'
import { test as base } from '#db/test-db.ts'
import type { Quotas } from '#shared/domain/quota.ts'
import { createLog } from '#shared/log.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { createApp } from './app.ts'
import { findDocsFile } from './docs-files.ts'
import type { AppOptions } from './env.ts'
import { createEventsApp } from './events-app.ts'
import type { Identity } from './identity/identity.ts'
import { syncTestCatalogue } from './test-catalogue.ts'
import { expectDocumented } from './test-documented.ts'

export const MAX_BODY_BYTES = 64 * 1024

export type Answer = { status: number; headers: Headers; text: string; body: any } // oxlint-disable-line typescript/no-explicit-any -- of any route

/** The app, or whatever serves it. */
type App = { request: (url: string, init: RequestInit) => Response | Promise<Response> }

/** The real app, on a database that then has the catalogue of these tests. */
export const appOn = async (db: Pool, identity: Identity) => createApp(await optionsOn(db, identity))

/** What a hub of this identity takes run tokens with. */
export const eventsAppOn = async (db: Pool, identity: Identity) => createEventsApp(await optionsOn(db, identity))

/** What the real app is made of, on a database that then has the catalogue of these tests. */
export async function optionsOn(db: Pool, identity: Identity, quotas?: Quotas): Promise<AppOptions> {
  await syncTestCatalogue(db)
  const store = openStore(db, quotas)
  return {
    storeOf: () => store,
    identity,
    log: createLog({ write: () => undefined, now: () => new Date() }),
    now: () => new Date('2026-11-23T12:00:00Z'),
    newId: uuidV7Source({ now: Date.now, random: (bytes) => void crypto.getRandomValues(bytes) }),
    newRequestId: randomUUID,
    maxBodyBytes: MAX_BODY_BYTES,
    findDocsFile,
  }
}

/** How a caller with these headers asks `app`. */
export function callOn(app: App, caller: Record<string, string>) {
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const url = path.startsWith('//') ? path.slice(1) : `/api/v1/evaluations${path}`
    const response = await app.request(`http://localhost${url}`, {
      method,
      headers: { ...caller, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json' && text !== ''
    const answer: Answer = { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined }
    expectDocumented(method, new URL(url, 'http://localhost').pathname, {
      status: answer.status,
      type: response.headers.get('content-type') ?? '',
      body: answer.body,
    })
    return answer
  }
}

export type Call = ReturnType<typeof callOn>

/** `call(method, path, body?, headers?)` on the real app and database, below `/api/v1/evaluations` unless the path begins with `//`. The answer is one that the API's description has, and not to be sniffed at. */
export const test = base
  .extend('app', { scope: 'file' }, async ({ db }) => appOn(db, { mode: 'none' }))
  .extend('call', async ({ app, tenant }) => callOn(app, { 'X-Tenant': tenant, 'X-User': 'ann' }))

export const JOB = {
  name: 'job',
  model: { url: 'http://localhost:1/v1', name: 'm' },
  benchmarks: [{ id: 'first', provider_id: 'frame' }],
}

/** An event of one run of `JOB` or of the collection. */
export const event = (status: string, more: object = {}, id = 'first', index = 0) => ({
  benchmark_status_event: { provider_id: 'frame', id, benchmark_index: index, status, ...more },
})

/** The app on a pool whose database is away; what it logs as an error is put into `errors`. */
export function appWithout(db: Pool, errors: string[], onAnswered?: AppOptions['onAnswered']): ReturnType<typeof createApp> {
  const store = openStore(db)
  return createApp({
    storeOf: () => store,
    identity: { mode: 'none' },
    log: { info: () => undefined, warn: () => undefined, error: (message) => errors.push(message) },
    now: () => new Date(0),
    newId: () => '',
    newRequestId: () => 'id',
    maxBodyBytes: 1000,
    findDocsFile: async () => new Uint8Array(),
    ...(onAnswered && { onAnswered }),
  })
}
