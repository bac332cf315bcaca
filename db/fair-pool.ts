import postgres from 'postgres'
import { HubError } from '#shared/errors.ts'
import { createFairBudget, type Hold } from '#shared/fair-budget.ts'
import { CONNECTIONS, connect, type ConnectionLimits, type Db, type Pool } from './client.ts'
import { limitsAfter, openLane, type Lane, type Work } from './lane.ts'

/** For whom statements are. */
export type Caller = {
  /** On whose account: a tenant, or what stands for several. */
  party: string
  /** Aborted when nobody waits for the answer any more. */
  signal?: AbortSignal | undefined
}

/** Connections that several parties share. */
export type FairPool = {
  /**
   * The pool as one caller may use it: for statements and transactions that are awaited.
   *
   * Who is alone may have all connections. While another party waits, nobody holds more than half of them: what is more is cancelled, a statement is
   * carried out later, and a transaction is refused with `unavailable`. What is given up, or takes too long, is cancelled in the database.
   */
  of: (caller: Caller) => Pool
  /** For how many milliseconds all connections have been held, and nothing was carried out on any of them. */
  stuckMs: () => number
  /** Waits for what is under way, cancels the rest, and closes all connections. */
  end: (options?: { timeout?: number }) => Promise<void>
}

export type FairPoolOptions = {
  /** Connections; twice the cores unless told. */
  max?: number
  /** Milliseconds that a statement may take; it is cancelled by the database, and if that was not told so, by this process. */
  statementMs: number
  /** What connections are told; shared by pools of one database, of which each lives for one request only. */
  limits?: { current: ConnectionLimits }
  /** Told when the server, or a pooler before it, takes none of some limits with a connection. */
  onRefused?: (limits: string[]) => void
}

/** Of a tenant that has more than half, another one waits so long. */
const GRACE_MS = 100

/** What this process waits longer than the database. */
const BEYOND_MS = 1000

/** Far more than can be served in time. */
const MAX_WAITING = 10_000

/** How often the server looks whether who asked is still there: a process that was killed leaves no statement behind. */
const CHECK_INTERVAL_MS = 2000

type Why = 'caller' | 'others' | 'time' | 'end'

const WORDS: Record<Exclude<Why, 'caller'>, string> = {
  others: 'others have waited for its database.',
  time: 'its database took too long.',
  end: 'it is being stopped.',
}

type Use = { lane: Lane | undefined; why: Why | undefined }

/** What connections are told so that a statement takes no longer, until it turns out that they cannot be told so. */
export const limitsOf = (statementMs: number): { current: ConnectionLimits } => ({
  current: {
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: statementMs,
    client_connection_check_interval: CHECK_INTERVAL_MS,
  },
})

export function openFairPool(url: string, options: FairPoolOptions): FairPool {
  const { max = CONNECTIONS, statementMs, limits = limitsOf(statementMs), onRefused } = options
  const refusal = () => HubError.of('unavailable', { Error: 'too many wait for its database.' })
  const places = createFairBudget({ size: max, graceMs: GRACE_MS, refusal, maxWaiting: MAX_WAITING })
  const idle: Lane[] = []
  const uses = new Map<Use, Promise<unknown>>()
  const clock = createClock()
  let isEnding = false

  function giveUp(use: Use, why: Why): boolean {
    if (use.why !== undefined || !uses.has(use)) return false
    use.why = why
    use.lane?.giveUp()
    return true
  }

  async function onLane<Answer>(use: Use, hold: Hold, work: Work<Answer>): Promise<Answer> {
    clock.took(places.used() === max)
    const lane = idle.pop() ?? openLane(url, limits.current)
    use.lane = lane
    const tooLong = setTimeout(() => giveUp(use, 'time'), statementMs + BEYOND_MS)
    try {
      const answer = await lane.run(work)
      clock.answered()
      return answer
    } catch (error) {
      if (error instanceof postgres.PostgresError && error.code !== CANCELLED) clock.answered()
      throw error
    } finally {
      clearTimeout(tooLong)
      uses.delete(use)
      // A cancel that comes late must not meet the next statement.
      if (lane.isGivenUp() || lane.limits !== limits.current) void lane.end(0)
      else idle.push(lane)
      hold.release()
      clock.gave(places.used() === max)
    }
  }

  /** Whether what failed was not even begun, because the server does not take a connection with these limits. */
  function wasRefused(error: unknown, { lane }: Use): boolean {
    const left = lane && limitsAfter(error, lane.limits)
    if (!left) return false
    const dropped = Object.keys(lane.limits).filter((name) => !(name in left) && name in limits.current)
    if (dropped.length > 0) {
      limits.current = Object.fromEntries(Object.entries(limits.current).filter(([name]) => !dropped.includes(name)))
      onRefused?.(dropped)
      for (const one of idle.splice(0)) void one.end(0)
    }
    return true
  }

  async function carryOut<Answer>(caller: Caller, work: Work<Answer>, isStatement: boolean): Promise<Answer> {
    const { party, signal } = caller
    for (let isAgain = false; ; isAgain = true) {
      if (isEnding) throw HubError.of('unavailable', { Error: WORDS.end })
      const use: Use = { lane: undefined, why: undefined }
      const hold = await places.take({ party, amount: 1, signal, isAgain, giveBack: () => giveUp(use, 'others') })
      if (signal?.aborted) {
        hold.release()
        throw signal.reason
      }
      const running = onLane(use, hold, work)
      uses.set(use, running)
      const onAbort = () => giveUp(use, 'caller')
      signal?.addEventListener('abort', onAbort)
      try {
        return await running
      } catch (error) {
        if (use.why === 'caller') throw signal?.reason
        if (wasRefused(error, use)) continue
        if (use.why === 'others' && isStatement && isCancelled(error)) continue
        throw use.why === undefined ? error : HubError.of('unavailable', { Error: WORDS[use.why] })
      } finally {
        signal?.removeEventListener('abort', onAbort)
      }
    }
  }

  // Makes statements, and never connects: what they are carried out on is known later.
  const template = connect(url, { max: 1 })
  return {
    of: (caller) => poolOf(template, (work, isStatement) => carryOut(caller, work, isStatement)),
    stuckMs: clock.stuckMs,
    async end({ timeout = 0 } = {}) {
      isEnding = true
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, 1000 * timeout)))
      await Promise.race([Promise.allSettled(uses.values()), late])
      clearTimeout(timer)
      for (const use of uses.keys()) giveUp(use, 'end')
      await Promise.allSettled(uses.values())
      await Promise.all([template, ...idle].map((one) => ('giveUp' in one ? one.end(0) : one.end())))
    },
  }
}

const CANCELLED = '57014'

const isCancelled = (error: unknown) => error instanceof postgres.PostgresError && error.code === CANCELLED

/** When something was carried out last, and since when all has been held without a pause. */
function createClock() {
  let [answeredAt, fullSince] = [0, Infinity]
  return {
    took(isFull: boolean) {
      if (isFull && fullSince === Infinity) fullSince = performance.now()
    },
    gave(isFull: boolean) {
      if (!isFull) fullSince = Infinity
    },
    answered: () => void (answeredAt = performance.now()),
    stuckMs: () => Math.max(0, performance.now() - Math.max(answeredAt, fullSince)),
  }
}

type CarryOut = <Answer>(work: Work<Answer>, isStatement: boolean) => Promise<Answer>

/**
 * What statements are written with. A statement begins when it is awaited, as the driver's own do; one that is a part of another one never does.
 */
function poolOf(template: Pool, carryOut: CarryOut): Pool {
  const sql = (strings: TemplateStringsArray, ...args: never[]) => {
    let begun: Promise<unknown> | undefined
    const work: Work<unknown> = (lane, sent) => {
      const query = lane(strings, ...args)
      sent(query)
      return query
    }
    const begin = () => (begun ??= carryOut(work, true))
    const own: Pick<Promise<unknown>, 'then' | 'catch' | 'finally'> = {
      then: (...handlers) => begin().then(...handlers),
      catch: (handler) => begin().catch(handler),
      finally: (handler) => begin().finally(handler),
    }
    return Object.assign(template(strings, ...args), own)
  }
  const begin = (work: (tx: Db) => Promise<unknown>) => carryOut((lane, sent) => lane.begin((tx) => work(noting(tx, sent))), false)
  // Of all that a pool has, these are what statements here are made with.
  return Object.assign(sql, { json: template.json, begin }) as unknown as Pool
}

/** A transaction that tells of its statements. */
const noting = (tx: postgres.TransactionSql<{ bigint: number }>, sent: (query: PromiseLike<unknown>) => void) =>
  new Proxy(tx, {
    apply(target, self, args) {
      const query: unknown = Reflect.apply(target, self, args)
      if (query instanceof Promise) sent(query)
      return query
    },
  })
