import { createAdaptorServer } from '@hono/node-server'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Listening = {
  port: number
  /** Takes no more connections and resolves when the requests under way are answered. */
  close(): Promise<void>
}

type Fetch = Parameters<typeof createAdaptorServer>[0]['fetch']

/** Serves `fetch` on `host`; without one on 127.0.0.1, and at the same port on ::1 where it exists. `port` 0 takes a free one. */
export async function listen(fetch: Fetch, { host, port }: { host?: string; port: number }): Promise<Listening> {
  const first = await open(fetch, host ?? '127.0.0.1', port)
  const bound = portOf(first)
  const second = host === undefined ? await openIfPossible(fetch, bound, port === 0) : undefined
  return {
    port: bound,
    async close() {
      await Promise.all([first, second].map((server) => server && closed(server)))
    },
  }
}

// A server that listens on TCP has an address of this form.
const portOf = (server: Server) => (server.address() as AddressInfo).port

async function openIfPossible(fetch: Fetch, port: number, isAnyPort: boolean): Promise<Server | undefined> {
  try {
    return await open(fetch, '::1', port)
  } catch (error) {
    const isMissing = error instanceof Error && /EADDRNOTAVAIL|EAFNOSUPPORT/.test(String(error.cause))
    if (isMissing || isAnyPort) return undefined
    throw error
  }
}

function open(fetch: Fetch, host: string, port: number): Promise<Server> {
  // Without TLS options the adapter makes a plain HTTP server.
  const server = createAdaptorServer({ fetch }) as Server
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(new Error(complaint(cause, host, port), { cause })))
    server.listen(port, host, () => resolve(server))
  })
}

function complaint({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  if (code === 'EADDRINUSE') return `Port ${port} on ${host} is taken: stop what listens there, or choose another with --port`
  if (code === 'EACCES') return `Port ${port} on ${host} needs more rights: choose one above 1023 with --port`
  return `Cannot listen on ${host}:${port}: ${message}`
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    // Connections that are kept alive without a request would hold it up.
    server.closeIdleConnections()
  })
}
