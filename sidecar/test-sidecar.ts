import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request as ask, type IncomingHttpHeaders, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { test as base } from 'vitest'
import { createLog } from '#shared/log.ts'
import type { SidecarSettings } from './config.ts'
import { startSidecar } from './sidecar.ts'

export const RUN = { evaluationId: 'job-1', providerId: 'frame', benchmarkId: 'first', benchmarkIndex: 0 }
export const EVENTS = `/api/v1/evaluations/jobs/${RUN.evaluationId}/events`
export const TOKEN = 'evalhub-run.0.1.token'

/** Body of an event of `RUN`. */
export const eventOf = (status: string, more: object = {}) =>
  JSON.stringify({ benchmark_status_event: { provider_id: 'frame', id: 'first', benchmark_index: 0, status, ...more } })

export type Upstream = { url: URL; close: () => Promise<void> }

async function listen(listener: RequestListener, port = 0): Promise<Upstream> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export type Answer = { status: number; headers: IncomingHttpHeaders; text: string }

type Request = { method?: string; headers?: Record<string, string>; body?: string | Buffer; agent?: false }

/** One request, as raw as it can be: the path goes as it is and no redirect is followed. Rejects if the answer breaks off. */
export async function requestOf(url: URL, path: string, options: Request = {}): Promise<Answer> {
  const message = await begin(url, path, options)
  return { status: message.statusCode ?? 0, headers: message.headers, text: await text(message) }
}

/** The same, once the head of the answer is there. */
export function begin(url: URL, path: string, { method, headers = {}, body }: Request = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const sent = ask({ host: url.hostname, port: url.port, path, method: method ?? (body === undefined ? 'GET' : 'POST'), headers: { ...length, ...headers }, agent: false }, resolve) // prettier-ignore
    sent.once('error', reject)
    sent.end(body)
  })
}

/** A hub that keeps what it is sent; `answer` says what it says to each event. */
export function hubOf(answer: (count: number, body: string) => { status: number; body?: object | string } = () => ({ status: 204 })) {
  const posts: { path: string; headers: IncomingHttpHeaders; body: string; event: Record<string, any> }[] = [] // oxlint-disable-line typescript/no-explicit-any -- what was sent
  const listener: RequestListener = (request, response) => {
    void buffer(request).then((bytes) => {
      const body = bytes.toString()
      posts.push({ path: request.url ?? '', headers: request.headers, body, event: JSON.parse(body).benchmark_status_event })
      const { status, body: said } = answer(posts.length, body)
      const type = typeof said === 'object' ? 'application/json' : 'text/plain'
      return response.writeHead(status, { 'content-type': type }).end(typeof said === 'object' ? JSON.stringify(said) : said)
    })
  }
  return { posts, listener }
}

/** The hub's own refusal. */
export const hubError = (status: number, code: string) => ({
  status,
  body: { message_code: code, message: `It says ${code}.`, trace: 't' },
})

export const LIMITS: SidecarSettings['limits'] = { connectMs: 1000, idleMs: 10_000, eventMs: 2000, retryMs: [10, 40] }

/**
 * `folder`: a directory of the test's own, with a run token. `upstream(listener, port?)`: a server on loopback. `start(settings)`: a sidecar
 * in this process, with a hub that takes everything unless one is named.
 */
export const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('folder', async ({}, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'evalhub-sidecar-'))
    onCleanup(() => rm(folder, { recursive: true, force: true }))
    await writeFile(join(folder, 'run-token'), `${TOKEN}\n`)
    return folder
  })
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('upstream', async ({}, { onCleanup }) => {
    const open: Upstream[] = []
    onCleanup(async () => {
      await Promise.all(open.map(({ close }) => close()))
    })
    return async (listener: RequestListener, port?: number) => {
      const upstream = await listen(listener, port)
      open.push(upstream)
      return upstream
    }
  })
  .extend('start', async ({ folder, upstream }, { onCleanup }) => {
    const open: { close: () => void }[] = []
    onCleanup(() => open.forEach(({ close }) => close()))
    return async (settings: Partial<SidecarSettings> = {}) => {
      const hub = settings.hub ?? { url: (await upstream(hubOf().listener)).url }
      const lines: string[] = []
      const write = (line: string) => void lines.push(line)
      const sidecar = await startSidecar(
        {
          port: 0,
          run: RUN,
          tenant: 'red',
          runTokenPath: join(folder, 'run-token'),
          hub,
          spoolPath: join(folder, 'spool'),
          limits: LIMITS,
          ...settings,
        },
        { log: createLog({ write, now: () => new Date() }), write, random: () => 0.5 },
      )
      open.push(sidecar)
      const url = new URL(`http://127.0.0.1:${sidecar.port}`)
      return { ...sidecar, url, lines, post: (body: string) => requestOf(url, EVENTS, { body }) }
    }
  })
