import { openHttpServer, type HttpServer } from '#functions/http-server.ts'

export type Listening = {
  port: number
  /** To watch their requests. */
  servers: HttpServer['server'][]
  /** Takes no more connections and resolves when the requests under way are answered. */
  close(): Promise<void>
}

type Fetch = Parameters<typeof openHttpServer>[0]

/** Serves `fetch` on `host`; without one on 127.0.0.1, and at the same port on ::1 where it exists. `port` 0 takes a free one. */
export async function listen(fetch: Fetch, { host, port }: { host?: string; port: number }): Promise<Listening> {
  const first = await open(fetch, host ?? '127.0.0.1', port)
  const second = host === undefined ? await openIfPossible(fetch, first.port, port === 0) : undefined
  const all = second ? [first, second] : [first]
  return {
    port: first.port,
    servers: all.map(({ server }) => server),
    async close() {
      await Promise.all(all.map((server) => server.close()))
    },
  }
}

const open = (fetch: Fetch, host: string, port: number) => openHttpServer(fetch, { host, port, portName: '--port' })

async function openIfPossible(fetch: Fetch, port: number, isAnyPort: boolean): Promise<HttpServer | undefined> {
  try {
    return await open(fetch, '::1', port)
  } catch (error) {
    const isMissing = error instanceof Error && /EADDRNOTAVAIL|EAFNOSUPPORT/.test(String(error.cause))
    if (isMissing || isAnyPort) return undefined
    throw error
  }
}
