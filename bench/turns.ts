import { gzipSync } from 'node:zlib'
import { connect, type Pool } from '#db/client.ts'
import { openStore } from '#db/store.ts'
import { createApp } from '#functions/app.ts'
import { syncTestCatalogue } from '#functions/test-catalogue.ts'
import { PLAIN_LOG, WORST_LOGS, type WorstLog } from '#functions/test-worst-logs.ts'
import { WORST_BODIES, type Asked, type Call } from '#functions/test-worst-bodies.ts'
import { newId } from './operations.ts'

const CALLER = { 'X-Tenant': 'turns', 'X-User': 'bench', 'Content-Type': 'application/json' }

/** As the functions take by default. */
const MAX_BODY_BYTES = 10 * 1024 * 1024

/** No answer is cut off: what is measured is how long it takes. */
const ANSWER_LIMIT_MS = 600_000

/**
 * How long everybody else waits for the worst requests of each route: the longest turn of the event loop while one is answered, by the app in this
 * process on a real database, beside what JSON.parse takes for the same body; and of the worst logs, beside one of plain lines. Sizes are those of
 * `functions/test-worst-bodies.ts` and `functions/test-worst-logs.ts`, whose steps a test counts.
 */
export async function benchTurns(databaseUrl: string, db: Pool): Promise<void> {
  await syncTestCatalogue(db)
  const own = connect(databaseUrl)
  const call = callOn(own)
  console.log(row(['', 'status', 'body KB', 'longest turn ms', 'in all ms', 'JSON.parse ms', 'turn:parse']))
  for (const { name, prepare } of WORST_BODIES) {
    // Once, so that all is compiled.
    await ask(call, await prepare(call, 0.1))
    const asked = await prepare(call, 1)
    const parseMs = fastestParseMs(asked.body)
    const { longestMs, totalMs, value } = await longestTurn(() => ask(call, asked))
    const times = [longestMs.toFixed(1), totalMs.toFixed(0), parseMs.toFixed(2), (longestMs / parseMs).toFixed(1)]
    console.log(row([name, value.status, (asked.body.length / 1024).toFixed(1), ...times]))
  }
  await benchLogs(own)
  await own.end()
}

/** As much as one answer shows. */
const SHOWN_BYTES = 50 * 1024 * 1024

async function benchLogs(db: Pool): Promise<void> {
  const app = appOn(db)
  console.log(row(['log', 'status', 'shown MB', 'longest turn ms', 'in all ms', 'beside plain']))
  let plainMs: number | undefined
  // Plain lines first, and once more so that all is compiled.
  for (const log of [PLAIN_LOG, ...WORST_LOGS]) {
    const path = await kept(db, callOn(db), log)
    const { longestMs, totalMs, value } = await longestTurn(async () => {
      const response = await app.request(url(path), { headers: CALLER })
      let bytes = 0
      for await (const part of response.body ?? []) bytes += part.length
      return { status: response.status, bytes }
    })
    const perByte = totalMs / value.bytes
    if (log === PLAIN_LOG) plainMs = perByte
    const cells = [(value.bytes / 1e6).toFixed(1), longestMs.toFixed(1), totalMs.toFixed(0), (perByte / (plainMs ?? perByte)).toFixed(1)]
    console.log(row([log.name, value.status, ...cells]))
  }
}

/** Keeps that log of a new job: where it is shown. */
async function kept(db: Pool, call: Call, { text, times, timestamps }: WorstLog): Promise<string> {
  const job = { name: 'job', model: { url: 'http://localhost:1/v1', name: 'm' }, benchmarks: [{ id: 'first', provider_id: 'frame' }] }
  const { body } = await call('POST', '/jobs', job)
  const id: string = body.resource.id
  await db`
    insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at, times)
    select ${id}, 0, 1, 'local', seq, ${gzipSync(text)}, ${text.length}, now(), now(), ${times}
    from generate_series(1, ${Math.ceil(SHOWN_BYTES / text.length)}) as seq`
  return `/jobs/${id}/benchmarks/0/logs?tail_lines=-1&timestamps=${timestamps}`
}

const row = ([name = '', ...cells]: (string | number)[]) =>
  String(name).slice(0, 66).padEnd(68) + cells.map((cell) => String(cell).padStart(16)).join('')

const ask = (call: Call, { method, path, body }: Asked) => call(method, path, body)

const url = (path: string) => `http://localhost/api/v1/evaluations${path}`

function appOn(db: Pool) {
  const store = openStore(db)
  return createApp({
    storeOf: () => store,
    identity: { mode: 'none' },
    log: { info: () => undefined, warn: () => undefined, error: console.error },
    now: () => new Date(),
    newId,
    newRequestId: () => crypto.randomUUID(),
    maxBodyBytes: MAX_BODY_BYTES,
    answerLimitMs: ANSWER_LIMIT_MS,
    findDocsFile: async () => new Uint8Array(),
  })
}

function callOn(db: Pool): Call {
  const app = appOn(db)
  return async (method, path, content) => {
    const body = typeof content === 'string' ? content : JSON.stringify(content)
    const headers = { ...CALLER, 'Content-Length': String(Buffer.byteLength(body)) }
    const response = await app.request(url(path), { method, headers, body })
    const text = await response.text()
    return { status: response.status, text, body: text === '' ? undefined : JSON.parse(text) }
  }
}

function fastestParseMs(text: string): number {
  let fastest = Infinity
  for (let at = 0; at < 5; at++) {
    const begun = performance.now()
    JSON.parse(text)
    fastest = Math.min(fastest, performance.now() - begun)
  }
  return fastest
}

/** What `work` answers, and for how long nothing else could be done while it was under way. */
async function longestTurn<Value>(work: () => Promise<Value>): Promise<{ value: Value; longestMs: number; totalMs: number }> {
  const begun = performance.now()
  let [last, longestMs, isOver] = [begun, 0, false]
  const look = () => {
    const now = performance.now()
    longestMs = Math.max(longestMs, now - last)
    last = now
    if (!isOver) setImmediate(look)
  }
  setImmediate(look)
  const value = await work()
  const totalMs = performance.now() - begun
  await new Promise((resolve) => setImmediate(resolve))
  isOver = true
  return { value, longestMs, totalMs }
}
