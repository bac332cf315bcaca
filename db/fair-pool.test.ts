import { describe, expect, onTestFinished, vi } from 'vitest'
import { forwardPort } from '../test/port-forward.ts'
import type { Db, Pool } from './client.ts'
import { openFairPool, type FairPool, type FairPoolOptions } from './fair-pool.ts'
import { test } from './test-db.ts'
import { startPooler } from './test-pooler.ts'
import { isTooSlow, isUnavailable } from './unavailable.ts'

function open(url: string, options: Partial<FairPoolOptions> = {}) {
  const pool = openFairPool(url, { max: 4, statementMs: 10_000, ...options })
  onTestFinished(() => pool.end())
  return pool
}

const slowA = (on: Db, seconds: number) => on`select pg_sleep(${seconds}), 'a' as slow_a`
const slowB = (on: Db, seconds: number) => on`select pg_sleep(${seconds}), 'b' as slow_b`

/** Statements that are under way in the database, by a word in them. */
async function underWay(db: Pool, word: string): Promise<number> {
  const [row] = await db<{ total: number }[]>`
    select count(*) as total from pg_stat_activity
    where datname = current_database() and state <> 'idle' and position(${word} in query) > 0 and pid <> pg_backend_pid()`
  return row!.total
}

const waitFor = (db: Pool, word: string, total: number) =>
  vi.waitFor(async () => expect(await underWay(db, word)).toBe(total), { timeout: 8000, interval: 20 })

/** The order in which a request of so many statements, each after the answer to the one before, and 400 short ones that came after it are answered. */
async function inTurns({ of }: FairPool, statements: number): Promise<{ answered: string[] }> {
  const answered: string[] = []
  const request = () => of({ party: 'a', signal: new AbortController().signal })
  const ask = (on: Pool, name: string) => on`select ${name}`.then(() => answered.push(name))
  const first = request()
  const long = async () => {
    for (let at = 0; at < statements; at++) await ask(first, `first ${at}`)
  }
  await Promise.all([long(), ...Array.from({ length: 400 }, (_, at) => ask(request(), `later ${at}`))])
  return { answered }
}

/** As it came to its end, so that no rejection is left alone. */
const outcome = (work: PromiseLike<unknown>) =>
  Promise.resolve(work).then(
    () => 'done',
    (error: Error) => error.message,
  )

describe('what is given up', () => {
  test('is cancelled in the database, and connections serve others', async ({ databaseUrl, db }) => {
    const pool = open(databaseUrl)
    const gone = new AbortController()
    const mine = pool.of({ party: 'a', signal: gone.signal })
    const all = Promise.all(Array.from({ length: 8 }, () => outcome(slowA(mine, 60))))
    await waitFor(db, 'slow_a', 4)
    gone.abort(new Error('the caller is gone'))
    expect(new Set(await all)).toEqual(new Set(['the caller is gone']))
    await waitFor(db, 'slow_a', 0)
    expect(await outcome(mine`select 1`)).toBe('the caller is gone')
    expect(await pool.of({ party: 'b' })`select 1 as one`).toEqual([{ one: 1 }])
  })

  test('as a transaction is rolled back whole, whichever of its statements it is at, and what waited for its lock goes on', async ({
    databaseUrl,
    db,
  }) => {
    const pool = open(databaseUrl)
    await db`create table kept (value int)`
    const gone = new AbortController()
    const changing = pool.of({ party: 'a', signal: gone.signal }).begin(async (tx) => {
      await tx`insert into kept values (1)`
      await tx`lock table kept in access exclusive mode`
      await Promise.all([tx`select 1`, slowA(tx, 60)])
    })
    const ended = outcome(changing)
    await waitFor(db, 'slow_a', 1)
    const waiting = db`select * from kept`.execute()
    gone.abort(new Error('the caller is gone'))
    expect(await ended).toBe('the caller is gone')
    expect(await waiting).toEqual([])
  })

  test('before its connection is open is never carried out, or cancelled as soon as it is', async ({ databaseUrl, db }) => {
    const pool = open(databaseUrl, { max: 1 })
    const gone = new AbortController()
    const ended = outcome(slowA(pool.of({ party: 'a', signal: gone.signal }), 60))
    gone.abort(new Error('the caller is gone'))
    expect(await ended).toBe('the caller is gone')
    await waitFor(db, 'slow_a', 0)
    expect(await pool.of({ party: 'b' })`select 1 as one`).toEqual([{ one: 1 }])
  })

  test('harms no statement that was sent after it on the same connection, or on another', async ({ databaseUrl, db }) => {
    const pool = open(databaseUrl, { max: 1 })
    const gone = new AbortController()
    const mine = pool.of({ party: 'a' })
    const numbers = (from: number) =>
      Array.from({ length: 10 }, (_, at) => mine`select ${from + at}::int as number`.then(([row]) => row?.number))
    const before = numbers(0)
    const slow = outcome(slowA(pool.of({ party: 'a', signal: gone.signal }), 60))
    const after = numbers(10)
    await waitFor(db, 'slow_a', 1)
    gone.abort(new Error('the caller is gone'))
    expect(await slow).toBe('the caller is gone')
    expect(await Promise.all([...before, ...after])).toEqual(Array.from({ length: 20 }, (_, at) => at))
  })

  test('while the database is away ends nothing but itself', async ({ databaseUrl, db }) => {
    const forward = await forwardPort(Number(new URL(databaseUrl).port))
    const url = new URL(databaseUrl)
    url.port = String(forward.port)
    const pool = open(url.href)
    const gone = new AbortController()
    const ended = outcome(slowA(pool.of({ party: 'a', signal: gone.signal }), 60))
    await waitFor(db, 'slow_a', 1)
    const closed = forward.close()
    gone.abort(new Error('the caller is gone'))
    expect(await ended).toBe('the caller is gone')
    await closed
    // The server finds out by itself that nobody is there any more.
    await waitFor(db, 'slow_a', 0)
    await forward.open(Number(new URL(databaseUrl).port))
    expect(await pool.of({ party: 'b' })`select 1 as one`).toEqual([{ one: 1 }])
    await forward.close()
  })

  test('by a process that ends is cancelled, after it had its time', async ({ databaseUrl, db }) => {
    const pool = open(databaseUrl)
    const all = [outcome(slowA(pool.of({ party: 'a' }), 60)), outcome(slowB(pool.of({ party: 'b' }), 0.3))]
    await waitFor(db, 'slow_a', 1)
    await waitFor(db, 'slow_b', 1)
    await pool.end({ timeout: 1 })
    expect(await Promise.all(all)).toEqual([expect.stringContaining('being stopped'), 'done'])
    await waitFor(db, 'slow_a', 0)
    expect(await outcome(pool.of({ party: 'a' })`select 1`)).toContain('being stopped')
  })
})

describe('a statement that takes too long', () => {
  test('is ended by the database, and is no bug', async ({ databaseUrl }) => {
    const mine = open(databaseUrl, { statementMs: 100 }).of({ party: 'a' })
    const error = await slowA(mine, 60).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: '57014' })
    expect(isUnavailable(error)).toBe(true)
    const idle = mine.begin(async (tx) => {
      await tx`select 1`
      await new Promise((resolve) => void setTimeout(resolve, 400))
      await tx`select 1`
    })
    expect(isUnavailable(await idle.catch((thrown: unknown) => thrown))).toBe(true)
    expect(await mine`select 1 as one`).toEqual([{ one: 1 }])
  })

  // Guarantee: where a pooler takes no limits with a connection, this process keeps to them, and says so.
  test('is cancelled by this process behind a pooler that takes no limits', async ({ databaseUrl, db }) => {
    const pooler = await startPooler(databaseUrl)
    onTestFinished(pooler.close)
    const refused: string[][] = []
    const pool = open(pooler.url, { statementMs: 100, onRefused: (limits) => refused.push(limits) })
    const mine = pool.of({ party: 'a' })
    expect(await Promise.all([1, 2, 3].map((value) => mine`select ${value}::int as value`))).toHaveLength(3)
    expect(refused.flat().toSorted()).toEqual([
      'client_connection_check_interval',
      'idle_in_transaction_session_timeout',
      'statement_timeout',
    ])
    const error = await slowA(mine, 60).catch((thrown: unknown) => thrown)
    expect([isTooSlow(error), isUnavailable(error)]).toEqual([true, true])
    await waitFor(db, 'slow_a', 0)
  })

  test('is tried again with fewer limits on a connection that does not ask for those that were refused', async ({ databaseUrl }) => {
    const pooler = await startPooler(databaseUrl)
    onTestFinished(pooler.close)
    const mine = open(pooler.url, { max: 1 }).of({ party: 'a' })
    expect(await mine`select 1 as one`).toEqual([{ one: 1 }])
    expect(pooler.refused()).toHaveLength(new Set(pooler.refused()).size)
  })
})

describe('connections', () => {
  test('are all had by who is alone, and half of them while another one waits; what is taken back is carried out later', async ({
    databaseUrl,
    db,
  }) => {
    const pool = open(databaseUrl)
    const [a, b] = [pool.of({ party: 'a' }), pool.of({ party: 'b' })]
    const ofA = Array.from({ length: 4 }, () => outcome(slowA(a, 2)))
    await waitFor(db, 'slow_a', 4)
    const ofB = Array.from({ length: 4 }, () => outcome(slowB(b, 2)))
    await waitFor(db, 'slow_b', 2)
    expect(await underWay(db, 'slow_a')).toBe(2)
    expect(new Set(await Promise.all([...ofA, ...ofB]))).toEqual(new Set(['done']))
  })

  test('answer a party soon, however much another one has asked before', async ({ databaseUrl, db }) => {
    const pool = open(databaseUrl, { max: 2 })
    const gone = new AbortController()
    const a = pool.of({ party: 'a', signal: gone.signal })
    const all = Promise.all(Array.from({ length: 200 }, () => outcome(slowA(a, 30))))
    await waitFor(db, 'slow_a', 2)
    for (let at = 0; at < 20; at++) expect(await pool.of({ party: `other ${at}` })`select 1 as one`).toEqual([{ one: 1 }])
    gone.abort(new Error('the caller is gone'))
    await all
  })

  test('are had by the statements of a party in the order in which they came', async ({ databaseUrl }) => {
    const pool = open(databaseUrl, { max: 1 })
    const order: number[] = []
    const statement = (at: number) => pool.of({ party: 'a' })`select ${at}::int`.then(() => order.push(at))
    await Promise.all(Array.from({ length: 100 }, (_, at) => statement(at)))
    expect(order).toEqual(Array.from({ length: 100 }, (_, at) => at))
  })

  // Guarantee: who needs several statements, one after the other, is not overtaken again and again by those who came later.
  test('are had by the next statements of a request before those of requests that came after it', async ({ databaseUrl }) => {
    const { answered } = await inTurns(open(databaseUrl, { max: 1 }), 3)
    expect(answered.indexOf('first 2')).toBeLessThan(60)
  })

  test('are had by a request of many statements after what came meanwhile, but for its first few', async ({ databaseUrl }) => {
    const { answered } = await inTurns(open(databaseUrl, { max: 1 }), 9)
    expect(answered.indexOf('first 8')).toBeGreaterThan(400)
  })

  test('are waited for by no more than 10,000', async ({ databaseUrl }) => {
    const pool = open(databaseUrl, { max: 1 })
    const gone = new AbortController()
    const mine = pool.of({ party: 'a', signal: gone.signal })
    const all = Array.from({ length: 10_100 }, () => outcome(slowA(mine, 60)))
    await Promise.resolve()
    gone.abort(new Error('gone'))
    const refused = (await Promise.all(all)).filter((said) => said.includes('too many wait'))
    expect(refused.length).toBeGreaterThan(90)
  })

  test('are taken from a transaction by refusing it', async ({ databaseUrl, db }) => {
    const pool = open(databaseUrl, { max: 2 })
    const a = pool.of({ party: 'a' })
    const ofA = Array.from({ length: 2 }, () => outcome(a.begin((tx) => slowA(tx, 1))))
    await waitFor(db, 'slow_a', 2)
    expect(await pool.of({ party: 'b' })`select 1 as one`).toEqual([{ one: 1 }])
    expect((await Promise.all(ofA)).toSorted()).toEqual([expect.stringContaining('others have waited'), 'done'])
  })

  test('are not held by who waits, nor by what is made and not awaited', async ({ databaseUrl }) => {
    const mine = open(databaseUrl, { max: 1 }).of({ party: 'a' })
    const part = mine`where value > ${1}`
    void mine`select pg_sleep(60)`
    expect(await mine`select value from generate_series(1, ${3}::int) as value ${part}`).toEqual([{ value: 2 }, { value: 3 }])
  })

  test('are stuck only while all are held and nothing is carried out', async ({ databaseUrl, db }) => {
    const pool = open(databaseUrl, { max: 2 })
    const [a, b] = [pool.of({ party: 'a' }), pool.of({ party: 'b' })]
    await a`select 1`
    expect(pool.stuckMs()).toBe(0)
    const slow = outcome(slowA(a, 1))
    await waitFor(db, 'slow_a', 1)
    expect(pool.stuckMs()).toBe(0)
    const second = outcome(slowB(b, 1))
    await vi.waitFor(() => expect(pool.stuckMs()).toBeGreaterThan(300))
    await Promise.all([slow, second])
    expect(pool.stuckMs()).toBe(0)
  })
})
