import { get, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { randomUUID } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import type { Pool } from '#db/client.ts'
import { appendLog } from '#db/commands/append-log.ts'
import { findLogEnd } from '#db/queries/log-end.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import { test } from '#db/test-db.ts'
import { specFor, submitSpecs } from '#db/test-evaluation.ts'
import { secretsToHide } from '../redact.ts'
import { createLogShipper, type LogShipper, type LogShipperOptions } from './logs.ts'
import { timeOf } from './log-lines.ts'

/** The log API of a cluster, over HTTP: it follows, knows `sinceTime`, and fails as it is told. */
async function startCluster() {
  const logs = new Map<string, { lines: string[]; isOver: boolean; readers: Set<ServerResponse> }>()
  const asked: string[] = []
  let failure: { status: number; count: number } | undefined

  const logOf = (pod: string, container: string) => {
    const known = logs.get(`${pod}/${container}`) ?? { lines: [], isOver: false, readers: new Set() }
    logs.set(`${pod}/${container}`, known)
    return known
  }
  const respond = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://x')
    const [, pod = ''] = /^\/api\/v1\/namespaces\/tenant\/pods\/([^/]+)\/log$/.exec(url.pathname) ?? []
    const query = url.searchParams
    const container = query.get('container') ?? ''
    asked.push(`${pod}/${container}${query.has('follow') ? ' follow' : ''}`)
    if (failure && failure.count-- > 0) return response.writeHead(failure.status).end('{"message":"no"}')
    const log = logs.get(`${pod}/${container}`)
    if (!log) return response.writeHead(404).end('{"message":"pods not found"}')
    const since = query.get('sinceTime')?.replace('Z', '.000000000Z') ?? ''
    response.writeHead(200)
    response.write(log.lines.filter((line) => line >= since).join(''))
    if (log.isOver || !query.has('follow')) return response.end()
    log.readers.add(response)
    response.once('close', () => log.readers.delete(response))
  }
  const server = createServer(respond)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0

  return {
    asked,
    open: (path: string, signal: AbortSignal) =>
      new Promise<AsyncIterable<Buffer>>((resolve, reject) => {
        get({ host: '127.0.0.1', port, path, signal, agent: false }, (answer) => {
          if (answer.statusCode === 200) return resolve(answer)
          answer.resume()
          reject(Object.assign(new Error('refused'), { status: answer.statusCode }))
        }).once('error', reject)
      }),
    write(pod: string, container: string, text: string, time = timeOf(Date.now())) {
      const log = logOf(pod, container)
      log.lines.push(`${time} ${text}\n`)
      for (const reader of log.readers) reader.write(`${time} ${text}\n`)
    },
    end(pod: string, container: string) {
      const log = logOf(pod, container)
      log.isOver = true
      for (const reader of log.readers) reader.end()
    },
    /** Ends all connections within a line. */
    cut(pod: string, container: string) {
      for (const reader of logOf(pod, container).readers) reader.write(`${timeOf(Date.now())} half a li`, () => reader.destroy())
    },
    readers: (pod: string, container: string) => logOf(pod, container).readers.size,
    remove: (pod: string) => {
      for (const container of ['adapter', 'sidecar', 'init']) {
        for (const reader of logs.get(`${pod}/${container}`)?.readers ?? []) reader.destroy()
        logs.delete(`${pod}/${container}`)
      }
    },
    fail: (status: number, count: number) => void (failure = { status, count }),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

let cluster: Awaited<ReturnType<typeof startCluster>>
let shippers: LogShipper[] = []
beforeEach(async () => {
  cluster = await startCluster()
})
afterEach(async () => {
  await Promise.all(shippers.map((shipper) => shipper.close()))
  shippers = []
  cluster.close()
})

function startShipper(db: Pool, options: Partial<LogShipperOptions> = {}): LogShipper {
  const shipper = createLogShipper({
    open: cluster.open,
    append: (key, container, piece) => appendLog(db, { ...key, container, ...piece }),
    findEnd: (key, container, wish) => findLogEnd(db, key, container, wish),
    onError: () => undefined,
    nowMs: Date.now,
    flushMs: 50,
    retryMs: [10, 10],
    ...options,
  })
  shippers.push(shipper)
  return shipper
}

async function keptLog(db: Pool, { evaluationId, attempt }: AttemptKey, container: string): Promise<string> {
  const rows = await db<{ chunk: Uint8Array }[]>`
    select chunk from evalhub.run_logs where evaluation_id = ${evaluationId} and attempt = ${attempt} and container = ${container} order by seq`
  return rows.map(({ chunk }) => gunzipSync(chunk).toString()).join('')
}

async function newPod(db: Pool, containers = ['adapter']) {
  const evaluationId = await submitSpecs(db, [specFor('true')])
  return {
    key: { evaluationId, benchmarkIndex: 0, attempt: 1 },
    namespace: 'tenant',
    name: `pod-${randomUUID()}`,
    containers,
    secrets: [] as Buffer[],
  }
}

describe('createLogShipper', () => {
  test('has a line of a running adapter in the database at once, and all of them once at its end', async ({ db }) => {
    const pod = await newPod(db)
    const shipper = startShipper(db)
    cluster.write(pod.name, 'adapter', 'one')
    shipper.track(pod)
    await vi.waitFor(async () => expect(await keptLog(db, pod.key, 'adapter')).toBe('one\n'), { timeout: 2000 })

    cluster.write(pod.name, 'adapter', 'two')
    await vi.waitFor(async () => expect(await keptLog(db, pod.key, 'adapter')).toBe('one\ntwo\n'), { timeout: 2000 })
    cluster.write(pod.name, 'adapter', 'three')
    cluster.end(pod.name, 'adapter')
    await shipper.finish(pod.key)

    expect(await keptLog(db, pod.key, 'adapter')).toBe('one\ntwo\nthree\n')
  })

  test('goes on after cut connections and refusals', async ({ db }) => {
    const pod = await newPod(db)
    const shipper = startShipper(db)
    cluster.write(pod.name, 'adapter', 'one')
    cluster.fail(500, 1)
    shipper.track(pod)
    await vi.waitFor(() => expect(cluster.readers(pod.name, 'adapter')).toBe(1), { timeout: 5000 })
    cluster.cut(pod.name, 'adapter')
    await vi.waitFor(() => expect(cluster.readers(pod.name, 'adapter')).toBe(0))
    cluster.write(pod.name, 'adapter', 'two')
    await vi.waitFor(async () => expect(await keptLog(db, pod.key, 'adapter')).toBe('one\ntwo\n'), { timeout: 5000 })

    cluster.fail(500, 2)
    await shipper.finish(pod.key)

    expect(await keptLog(db, pod.key, 'adapter')).toBe('one\ntwo\n')
  })

  test('goes on where an earlier bridge ended, also among lines of one time', async ({ db }) => {
    const pod = await newPod(db)
    const time = timeOf(Date.now())
    cluster.write(pod.name, 'adapter', 'one', time)
    cluster.write(pod.name, 'adapter', 'two', time)
    const earlier = startShipper(db)
    earlier.track(pod)
    await vi.waitFor(async () => expect(await keptLog(db, pod.key, 'adapter')).toBe('one\ntwo\n'))
    await earlier.close()
    cluster.write(pod.name, 'adapter', 'three', time)
    cluster.end(pod.name, 'adapter')

    const shipper = startShipper(db)
    shipper.track(pod)
    await shipper.finish(pod.key)

    expect(await keptLog(db, pod.key, 'adapter')).toBe('one\ntwo\nthree\n')
  })

  test('follows some adapters, asks for all else now and then, and reads all whole at the end', async ({ db }) => {
    const pods = [await newPod(db, ['init', 'sidecar', 'adapter']), await newPod(db), await newPod(db)]
    const shipper = startShipper(db, { followedMax: 2, pollMs: 100 })
    for (const pod of pods) {
      for (const container of pod.containers) cluster.write(pod.name, container, `${container} of ${pod.name}`)
      shipper.track(pod)
    }
    await vi.waitFor(async () => {
      for (const pod of pods)
        for (const container of pod.containers) expect(await keptLog(db, pod.key, container)).toBe(`${container} of ${pod.name}\n`)
    })
    const followedNames = new Set(cluster.asked.filter((line) => line.endsWith(' follow')))
    expect(followedNames).toEqual(new Set(pods.slice(0, 2).map(({ name }) => `${name}/adapter follow`)))

    await shipper.finish(pods[0]!.key)

    // Its place is free.
    await vi.waitFor(() => expect(cluster.asked).toContain(`${pods[2]!.name}/adapter follow`))
  })

  test('begins to follow an adapter when it has started', async ({ db }) => {
    const pod = await newPod(db, ['init'])
    const shipper = startShipper(db)
    cluster.write(pod.name, 'init', 'fetching')
    shipper.track(pod)
    cluster.write(pod.name, 'adapter', 'begun')
    shipper.track({ ...pod, containers: ['init', 'adapter'] })

    await vi.waitFor(async () => expect(await keptLog(db, pod.key, 'adapter')).toBe('begun\n'))
    await shipper.finish(pod.key)
    expect(await keptLog(db, pod.key, 'init')).toBe('fetching\n')
  })

  test('says that the end is missing if the pod went before it was read, once, and not if all was read', async ({ db }) => {
    const [unread, read] = [await newPod(db), await newPod(db)]
    cluster.write(unread.name, 'adapter', 'one')
    cluster.write(read.name, 'adapter', 'one')
    const shipper = startShipper(db)
    for (const pod of [unread, read]) shipper.track(pod)
    await vi.waitFor(async () => {
      for (const { key } of [unread, read]) expect(await keptLog(db, key, 'adapter')).toBe('one\n')
    })
    const askedFor = () => cluster.asked.filter((line) => line === `${read.name}/adapter follow`).length
    cluster.end(read.name, 'adapter')
    await vi.waitFor(() => expect(askedFor()).toBe(2), { timeout: 5000 })
    for (const { name } of [unread, read]) cluster.remove(name)
    await vi.waitFor(() => expect(askedFor()).toBe(3), { timeout: 5000 })

    for (const { key } of [unread, read]) await shipper.finish(key)
    // A bridge that did not get to record that does it again.
    const later = startShipper(db)
    later.track(unread)
    await later.finish(unread.key)

    expect(await keptLog(db, unread.key, 'adapter')).toBe(
      'one\n[EvalHub: the end of this log is missing: the pod was gone before it was read]\n',
    )
    expect(await keptLog(db, read.key, 'adapter')).toBe('one\n')
  })

  test('says so too if the node has no answer', async ({ db }) => {
    const pod = await newPod(db)
    const shipper = startShipper(db)
    shipper.track(pod)
    cluster.write(pod.name, 'adapter', 'one')
    cluster.fail(500, 1000)

    await shipper.finish(pod.key)

    expect(await keptLog(db, pod.key, 'adapter')).toMatch(
      /^(one\n)?\[EvalHub: the end of this log is missing: the cluster answered 500\]\n$/,
    )
  })

  test('loses nothing while the database is away, and a finish then is to be repeated', async ({ db }) => {
    const pod = await newPod(db)
    let isDown = true
    const shipper = startShipper(db, {
      append: (key, container, piece) => (isDown ? Promise.reject(new Error('down')) : appendLog(db, { ...key, container, ...piece })),
    })
    cluster.write(pod.name, 'adapter', 'one')
    shipper.track(pod)
    await vi.waitFor(() => expect(cluster.readers(pod.name, 'adapter')).toBe(1))
    cluster.write(pod.name, 'adapter', 'two')
    cluster.end(pod.name, 'adapter')
    await expect(shipper.finish(pod.key)).rejects.toThrow('down')

    isDown = false
    await shipper.finish(pod.key)

    expect(await keptLog(db, pod.key, 'adapter')).toBe('one\ntwo\n')
  })

  test('stores no value of a Secret', async ({ db }) => {
    const pod = { ...(await newPod(db)), secrets: secretsToHide(['sk-12345678', 'short']) }
    const shipper = startShipper(db)
    cluster.write(pod.name, 'adapter', 'key=sk-12345678 is not short')
    cluster.end(pod.name, 'adapter')
    shipper.track(pod)
    await shipper.finish(pod.key)
    await shipper.addEvents(pod.key, [{ reason: 'Failed', message: 'sk-12345678', lastAtMs: 0 }], pod.secrets)

    expect(await keptLog(db, pod.key, 'adapter')).toBe('key=*********** is not short\n')
    expect(await keptLog(db, pod.key, 'events')).toBe('1970-01-01T00:00:00Z Failed: ***********\n')
  })

  test('keeps what the cluster tells, each occurrence once, also over a restart', async ({ db }) => {
    const { key } = await newPod(db)
    const first = { reason: 'FailedScheduling', message: '0/1 nodes are available:\n too few GPUs.', lastAtMs: Date.UTC(2026, 10, 25, 18) }
    const again = { ...first, lastAtMs: first.lastAtMs + 5000 }
    const shipper = startShipper(db)
    await shipper.addEvents(key, [first], [])
    await shipper.addEvents(key, [first, again], [])
    await shipper.finish(key)
    await startShipper(db).addEvents(key, [again, { reason: 'Pulled', message: 'image', lastAtMs: first.lastAtMs + 9000 }], [])

    expect(await keptLog(db, key, 'events')).toBe(
      [
        '2026-11-25T18:00:00Z FailedScheduling: 0/1 nodes are available: too few GPUs.\n',
        '2026-11-25T18:00:05Z FailedScheduling: 0/1 nodes are available: too few GPUs.\n',
        '2026-11-25T18:00:09Z Pulled: image\n',
      ].join(''),
    )
  })

  test('keeps the first and the last of what the cluster tells, and none of it again after a restart', async ({ db }) => {
    const { key } = await newPod(db)
    const events = Array.from({ length: 1000 }, (_, at) => ({ reason: 'BackOff', message: `number ${at}`, lastAtMs: at * 1000 }))
    const options = { limitBytes: 100_000 }
    const shipper = startShipper(db, options)
    for (let at = 0; at < 1000; at += 10) await shipper.addEvents(key, events.slice(at, at + 10), [])
    const kept = await keptLog(db, key, 'events')
    expect(kept.length).toBeLessThanOrEqual(10_000)
    for (const text of ['number 0\n', 'number 999\n']) expect(kept).toContain(text)

    await startShipper(db, options).addEvents(key, events, [])
    expect(await keptLog(db, key, 'events')).toBe(kept)
    await startShipper(db, options).addEvents(key, [{ reason: 'Pulled', message: 'at last', lastAtMs: 2_000_000 }], [])
    expect(await keptLog(db, key, 'events')).toContain('Pulled: at last\n')
  })
})
