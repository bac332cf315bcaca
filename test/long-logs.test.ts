import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import type { Pool } from '#db/client.ts'
import { appendLog } from '#db/commands/append-log.ts'
import { findLogEnd } from '#db/queries/log-end.ts'
import { findLogPosition } from '#db/queries/log-position.ts'
import type { Call } from '#functions/test-app.ts'
import { event, JOB, test } from '#functions/test-app.ts'
import { createLogShipper } from '#k8s-bridge/kubernetes/logs.ts'
import { timeOf } from '#k8s-bridge/kubernetes/log-lines.ts'
import { openTail } from '#k8s-bridge/local/logs.ts'

const LIMIT = 40_000
const COUNT = 8000
/** Each of 50 bytes. */
const line = (at: number) => `line ${String(at).padStart(6, '0')} `.padEnd(49, '.')
const LAST = 'Error: what it died of'

/** Fails unless the lines are in order, each is there once, and each gap says what is missing. Answers the numbers of the first and the last. */
function expectTrue(text: string): { first: number; end: number; gaps: number } {
  let [first, at, gaps] = [-1, 0, 0]
  for (const each of text.split('\n').filter((words) => words !== '' && words !== LAST)) {
    const [, missing] = /^\[EvalHub: (\d+) bytes are missing here: of a long log the beginning and the end are kept\]$/.exec(each) ?? []
    const [, number] = /^line (\d{6}) \.*$/.exec(each) ?? []
    if (missing !== undefined) {
      gaps++
      // Where pieces begin and end within a line, what is left of it has no number.
      at = Math.ceil(at + Number(missing) / 50)
    } else if (number === undefined) expect(line(0).length).toBeGreaterThan(each.length)
    else {
      if (first < 0) first = Number(number)
      else expect(Math.abs(Number(number) - at)).toBeLessThanOrEqual(gaps)
      at = Number(number) + 1
    }
  }
  return { first, end: at, gaps }
}

async function expectLongLog(db: Pool, call: Call, id: string): Promise<void> {
  const answer = await call('GET', `/jobs/${id}/benchmarks/0/logs?tail_lines=-1`)
  expect(answer.text.length).toBeLessThanOrEqual(LIMIT)
  expect(expectTrue(answer.text)).toEqual({ first: 0, end: COUNT, gaps: 1 })
  expect(answer.text.endsWith(`${line(COUNT - 1)}\n${LAST}\n`)).toBe(true)
  expect((await call('GET', `/jobs/${id}/benchmarks/0/logs?tail_lines=2`)).text).toBe(`${line(COUNT - 1)}\n${LAST}`)
  expect((await call('GET', `/jobs/${id}/logs?tail_lines=1`)).text).toContain(`\n${LAST}`)

  const [row] = await db<{ stored: number; kept: number; least: number }[]>`
    select (select stored_bytes from evalhub.evaluations where id = ${id})::float8 as stored,
      sum(octet_length(chunk) + coalesce(octet_length(times), 0))::float8 as kept, sum(bytes)::float8 as least
    from evalhub.run_logs where evaluation_id = ${id}`
  expect(row!.least).toBeGreaterThan(LIMIT * 0.6)
  expect(row!.least).toBeLessThanOrEqual(LIMIT)
  // Beside the job's request and the like.
  expect(row!.stored - row!.kept).toBeLessThan(5000)
}

/** Reads the log again and again until it is told to stop: every answer is a true one. */
function follow(call: Call, id: string): () => Promise<number> {
  const over = new AbortController()
  const reading = (async () => {
    let answers = 0
    for (let end = 0; !over.signal.aborted; answers++) {
      const tail = answers % 2 === 0 ? -1 : 300
      const seen = expectTrue((await call('GET', `/jobs/${id}/benchmarks/0/logs?tail_lines=${tail}`)).text)
      expect(seen.end).toBeGreaterThanOrEqual(end)
      end = seen.end
    }
    return answers
  })()
  return () => {
    over.abort()
    return reading
  }
}

describe('a log of more than the limit', () => {
  test('of a process is read in order while it goes on, and has its beginning, its end, and how much is missing', async ({ db, call }) => {
    const id = (await call('POST', '/jobs', JOB)).body.resource.id as string
    await call('POST', `/jobs/${id}/events`, event('running'))
    const directory = await mkdtemp(join(tmpdir(), 'evalhub-long-'))
    const output = await open(join(directory, 'jobrun.log'), 'ax')
    const file = await open(join(directory, 'jobrun.log'), 'r+')
    const key = { evaluationId: id, benchmarkIndex: 0, attempt: 1 }
    const openAgain = async () =>
      openTail({
        file,
        position: await findLogPosition(db, key, 'local', LIMIT / 2),
        secrets: [],
        limitBytes: LIMIT,
        append: (piece) => appendLog(db, { ...key, container: 'local', ...piece }),
      })
    let tail = await openAgain()
    const stop = follow(call, id)
    for (let at = 0; at < COUNT; at += 20) {
      await output.appendFile(Array.from({ length: 20 }, (_, next) => `${line(at + next)}\n`).join(''))
      await tail.ship()
      // As when a hub dies, and the next one goes on.
      if (at % 1000 === 0) tail = await openAgain()
    }
    await output.appendFile(`${LAST}\n`)
    await tail.finish()
    expect(await stop()).toBeGreaterThan(1)

    await expectLongLog(db, call, id)
    await Promise.all([output.close(), file.close()])
    await rm(directory, { recursive: true })
  })

  test('of a pod likewise, whichever bridge reads it', async ({ db, call }) => {
    const id = (await call('POST', '/jobs', JOB)).body.resource.id as string
    await call('POST', `/jobs/${id}/events`, event('running'))
    const startMs = Date.parse('2026-11-23T12:00:00Z')
    const written = Array.from({ length: COUNT }, (_, at) => `${timeOf(startMs + at * 10)} ${line(at)}\n`)
    let count = 0
    // A kubelet's answer: from a second on.
    const openLog = (path: string) => {
      const since = new URL(path, 'http://x').searchParams.get('sinceTime')?.replace('Z', '.000000000Z') ?? ''
      const lines = written.slice(0, count).filter((each) => each >= since)
      const end = count === COUNT ? [`${timeOf(startMs + COUNT * 10)} ${LAST}\n`] : []
      return Promise.resolve((async function* () {
        for (const each of [...lines, ...end]) yield Buffer.from(each)
      })()) // prettier-ignore
    }
    const key = { evaluationId: id, benchmarkIndex: 0, attempt: 1 }
    const stop = follow(call, id)
    for (count = 1000; count <= COUNT; count += 1000) {
      const shipper = createLogShipper({
        open: openLog,
        append: (attempt, container, piece) => appendLog(db, { ...attempt, container, ...piece }),
        findEnd: (attempt, container, wish) => findLogEnd(db, attempt, container, wish),
        onError: () => undefined,
        nowMs: () => startMs,
        limitBytes: LIMIT,
        flushMs: 20,
      })
      shipper.track({ key, namespace: 'tenant', name: 'pod', containers: ['adapter'], secrets: [] })
      await shipper.finish(key)
      await shipper.close()
    }
    expect(await stop()).toBeGreaterThan(1)
    await expectLongLog(db, call, id)
  })
})
