import { openHttpServer, type HttpServer, type HttpServerOptions } from '#functions/http-server.ts'

export type Listening = {
  port: number
  /** Takes no more connections and resolves when the requests under way are answered. */
  close(): Promise<void>
}

/** Answers a request. */
export type Fetch = Parameters<typeof openHttpServer>[0]

/** Without `host` on 127.0.0.1, and at the same port on ::1 where it exists. `port` 0 takes a free one. */
type Options = { host?: string; port: number; onRequest?: HttpServerOptions['onRequest'] }

/** Serves `fetch`. */
export async function listen(fetch: Fetch, { host, port, onRequest }: Options): Promise<Listening> {
  const open = (name: string, at: number) =>
    openHttpServer(fetch, { host: name, port: at, portName: '--port', ...(onRequest && { onRequest }) })
  const first = await open(host ?? '127.0.0.1', port)
  const second = host === undefined ? await ifPossible(open('::1', first.port), port === 0) : undefined
  const all = second ? [first, second] : [first]
  return {
    port: first.port,
    async close() {
      await Promise.all(all.map((server) => server.close()))
    },
  }
}

async function ifPossible(opening: Promise<HttpServer>, isAnyPort: boolean): Promise<HttpServer | undefined> {
  try {
    return await opening
  } catch (error) {
    const isMissing = error instanceof Error && /EADDRNOTAVAIL|EAFNOSUPPORT/.test(String(error.cause))
    if (isMissing || isAnyPort) return undefined
    throw error
  }
}
