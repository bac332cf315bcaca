import postgres from 'postgres'
import { HubError } from '#shared/errors.ts'
import { createFairBudget, type FairBudget, type Hold } from '#shared/fair-budget.ts'
import type { ConnectionLimits } from './client.ts'
import type { Caller } from './fair-pool.ts'
import { isCancelled, limitsAfter, openLane, type Lane, type Run, type Work } from './lane.ts'

/**
 * How parties take turns on connections: what waits of a party goes on a connection that is free or becomes its own, and while its statements are
 * quick several of them follow each other there.
 */

/** Of a party that has more than half, another one waits so long. */
const GRACE_MS = 100

/** What this process waits longer than the database. */
const BEYOND_MS = 1000

/** Far more than can be served in time. */
const MAX_WAITING = 10_000

/** Statements of one party that are sent before the first is answered: so many go in one write, and the database never waits for the next. */
const DEPTH = 16

/** Statements of a turn that others wait for. */
const TURN = 4

/** Statements of a request that need not wait for those who came after it. */
const OWN_PLACE = 4

/** Nothing is sent after a statement that takes longer: another connection may be free sooner. */
const SLOW_MS = 25

/** Why a job is given up. */
type Why = 'caller' | 'others' | 'time' | 'end'

/** Of a statement that took too long, the database's own error says so. */
const WORDS = { others: 'others have waited for its database.', end: 'it is being stopped.' }

const unavailable = (why: keyof typeof WORDS) => HubError.of('unavailable', { Error: WORDS[why] })

const tooMany = () => HubError.of('unavailable', { Error: 'too many wait for its database.' })

/** A statement, or a transaction. */
type Job = {
  work: Work<unknown>
  isStatement: boolean
  /** Its place in its party: larger is later. */
  ticket: number
  resolve: (answer: unknown) => void
  reject: (error: unknown) => void
  why: Why | undefined
  run: Run<unknown> | undefined
}

/** What is to be carried out, for whom, and at which place. */
type Asked<Answer> = Caller & { work: Work<Answer>; isStatement: boolean; ticket: number }

/** A connection in the hands of a party. */
type Turn = {
  lane: Lane
  hold: Hold
  /** What is under way on it. */
  jobs: Set<Job>
  begun: number
  /** When a quick statement of this turn was answered last; -Infinity before. */
  quickAt: number
}

type Party = { name: string; waiting: Job[]; turns: Set<Turn>; isAsking: boolean }

type Options = {
  url: string
  max: number
  statementMs: number
  limits: { current: ConnectionLimits }
  onRefused: ((limits: string[]) => void) | undefined
}

export type Turns = Options & {
  connections: FairBudget
  idle: Lane[]
  parties: Map<string, Party>
  tickets: number
  waitingCount: number
  /** When something was carried out last. */
  answeredAt: number
  /** Since when all connections have been held without a pause. */
  fullSince: number
  /** Set when it is being ended: told when nothing is under way any more. */
  onEmpty: (() => void) | undefined
}

export const createTurns = (options: Options): Turns => ({
  ...options,
  connections: createFairBudget({ size: options.max, graceMs: GRACE_MS, refusal: tooMany }),
  idle: [],
  parties: new Map(),
  tickets: 0,
  waitingCount: 0,
  answeredAt: 0,
  fullSince: Infinity,
  onEmpty: undefined,
})

/** For how long all connections have been held while nothing was carried out on any of them. */
export const stuckMs = ({ answeredAt, fullSince }: Turns): number => Math.max(0, performance.now() - Math.max(answeredAt, fullSince))

/**
 * The places of a caller's statements among those of its party. The first few of a request have the place of the request, so that one that needs
 * several waits for those before it once and not again and again; what a longer one asks for is sent after what was asked for meanwhile.
 */
export function placesOf(turns: Turns, { signal }: Caller): () => number {
  const next = () => turns.tickets++
  // Who cannot be given up is no request.
  if (!signal) return next
  const own = next()
  let left = OWN_PLACE
  return () => (left-- > 0 ? own : next())
}

export function carryOut<Answer>(turns: Turns, asked: Asked<Answer>): Promise<Answer> {
  const { party: name, signal, ticket, work, isStatement } = asked
  if (signal?.aborted) return Promise.reject(signal.reason)
  if (turns.onEmpty) return Promise.reject(unavailable('end'))
  if (turns.waitingCount >= MAX_WAITING) return Promise.reject(tooMany())
  return new Promise<Answer>((resolve, reject) => {
    const party = turns.parties.get(name) ?? { name, waiting: [], turns: new Set(), isAsking: false }
    turns.parties.set(name, party)
    const onAbort = () => leave(turns, party, job, 'caller', signal?.reason)
    const settled = () => signal?.removeEventListener('abort', onAbort)
    const job: Job = {
      work,
      isStatement,
      ticket,
      resolve(answer) {
        settled()
        // It is what the work has answered.
        resolve(answer as Answer)
      },
      reject(error) {
        settled()
        reject(error)
      },
      why: undefined,
      run: undefined,
    }
    signal?.addEventListener('abort', onAbort)
    enqueue(turns, party, job)
  })
}

/** Waits so long for what is under way, then gives up the rest, and closes all connections. Nothing new is taken from here on. */
export async function leaveAll(turns: Turns, withinMs: number): Promise<void> {
  const { parties, idle } = turns
  const empty = new Promise<void>((resolve) => (turns.onEmpty = resolve))
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)))
  if (parties.size > 0) await Promise.race([empty, late])
  clearTimeout(timer)
  for (const party of parties.values()) {
    const underWay = [...party.turns].flatMap(({ jobs }) => [...jobs])
    for (const job of [...party.waiting, ...underWay]) leave(turns, party, job, 'end', unavailable('end'))
  }
  if (parties.size > 0) await empty
  await Promise.all(idle.map((lane) => lane.end()))
}

function enqueue(turns: Turns, party: Party, job: Job): void {
  const { waiting } = party
  const at = (waiting.at(-1)?.ticket ?? 0) < job.ticket ? -1 : waiting.findIndex(({ ticket }) => ticket > job.ticket)
  waiting.splice(at < 0 ? waiting.length : at, 0, job)
  turns.waitingCount++
  serve(turns, party)
}

function dequeue(turns: Turns, party: Party, job: Job): void {
  const at = party.waiting.indexOf(job)
  if (at < 0) return
  party.waiting.splice(at, 1)
  turns.waitingCount--
}

/** Sends what waits on connections that are free, else after what the party has sent before; and asks for another connection for the rest. */
function serve(turns: Turns, party: Party): void {
  for (let [first] = party.waiting; first; [first] = party.waiting) {
    const hold = turns.connections.takeNow(party.name, 1)
    const turn = hold ? openTurn(turns, party, hold) : first.isStatement && turnToFollow(turns, party)
    if (!turn) break
    start(turns, party, turn, first)
  }
  if (party.waiting.length > 0 && !party.isAsking) void ask(turns, party)
}

/** Of the party's turns the one with least under way. */
function turnToFollow(turns: Turns, party: Party): Turn | undefined {
  let least: Turn | undefined
  for (const turn of party.turns) {
    if (canFollow(turns, party, turn) && turn.jobs.size < (least?.jobs.size ?? Infinity)) least = turn
  }
  return least
}

/** Whether one more statement may be sent on the connection: what is under way there are statements, and quick ones. */
function canFollow({ connections, limits }: Turns, party: Party, { lane, jobs, begun, quickAt }: Turn): boolean {
  if (jobs.size >= DEPTH || !isOfUse(lane, limits) || performance.now() - quickAt > SLOW_MS) return false
  return begun < TURN || !connections.isAwaitedBesides(party.name)
}

/** Whether more may be sent on it: nothing there was given up, and it was not refused for its limits. */
const isOfUse = (lane: Lane, limits: Turns['limits']) => !lane.isSpent() && lane.limits === limits.current

async function ask(turns: Turns, party: Party): Promise<void> {
  party.isAsking = true
  const hold = await turns.connections.take({ party: party.name, amount: 1 })
  party.isAsking = false
  const turn = openTurn(turns, party, hold)
  const [first] = party.waiting
  if (first) start(turns, party, turn, first)
  else closeTurn(turns, party, turn)
  serve(turns, party)
}

function openTurn(turns: Turns, party: Party, hold: Hold): Turn {
  const { connections, idle, url, limits, max } = turns
  const turn: Turn = { lane: idle.pop() ?? openLane(url, limits.current), hold, jobs: new Set(), begun: 0, quickAt: -Infinity }
  hold.lend(() => {
    for (const job of turn.jobs) giveUp(job, 'others')
    return true
  })
  party.turns.add(turn)
  if (connections.used() === max && turns.fullSince === Infinity) turns.fullSince = performance.now()
  return turn
}

function closeTurn(turns: Turns, party: Party, turn: Turn): void {
  const { connections, idle, parties, limits, max } = turns
  party.turns.delete(turn)
  if (isOfUse(turn.lane, limits)) idle.push(turn.lane)
  else void turn.lane.end()
  turn.hold.release()
  if (connections.used() < max) turns.fullSince = Infinity
  if (party.turns.size === 0 && party.waiting.length === 0 && !party.isAsking) parties.delete(party.name)
  if (parties.size === 0) turns.onEmpty?.()
}

function start(turns: Turns, party: Party, turn: Turn, job: Job): void {
  dequeue(turns, party, job)
  turn.jobs.add(job)
  turn.begun++
  const sentAt = performance.now()
  const tooLong = setTimeout(() => giveUp(job, 'time'), turns.statementMs + BEYOND_MS)
  job.run = turn.lane.run(job.work)
  const over = () => {
    clearTimeout(tooLong)
    job.run = undefined
    turn.jobs.delete(job)
    if (job.isStatement && performance.now() - sentAt < SLOW_MS) turn.quickAt = performance.now()
  }
  job.run.answer.then(
    (answer) => {
      over()
      turns.answeredAt = performance.now()
      job.resolve(answer)
      return goOn(turns, party, turn)
    },
    (error: unknown) => {
      over()
      if (error instanceof postgres.PostgresError && !isCancelled(error)) turns.answeredAt = performance.now()
      fail(turns, party, turn, { job, error })
      goOn(turns, party, turn)
    },
  )
}

/** What follows when something on a connection has ended. */
function goOn(turns: Turns, party: Party, turn: Turn): void {
  for (let [first] = party.waiting; first?.isStatement && canFollow(turns, party, turn); [first] = party.waiting) {
    start(turns, party, turn, first)
  }
  if (turn.jobs.size === 0) closeTurn(turns, party, turn)
}

/** What was cancelled for others, or was met by the cancel of what went before it, is carried out again; so is what was not even begun. */
function fail(turns: Turns, party: Party, { lane }: Turn, { job, error }: { job: Job; error: unknown }): void {
  const { why, isStatement } = job
  const isCancelledForOthers = isStatement && isCancelled(error) && (why === 'others' || (why === undefined && lane.isSpent()))
  if (isCancelledForOthers || (why === undefined && wasRefused(turns, error, lane))) {
    job.why = undefined
    enqueue(turns, party, job)
  } else job.reject(why === 'others' || why === 'end' ? unavailable(why) : error)
}

/** Whether the server took no connection with these limits: then nothing was begun. */
function wasRefused({ limits, idle, onRefused }: Turns, error: unknown, lane: Lane): boolean {
  const left = limitsAfter(error, lane.limits)
  if (!left) return false
  const dropped = Object.keys(lane.limits).filter((name) => !(name in left) && name in limits.current)
  if (dropped.length > 0) {
    limits.current = Object.fromEntries(Object.entries(limits.current).filter(([name]) => !dropped.includes(name)))
    onRefused?.(dropped)
    for (const one of idle.splice(0)) void one.end()
  }
  return true
}

function giveUp(job: Job, why: Why): void {
  if (job.why !== undefined) return
  job.why = why
  job.run?.giveUp()
}

/** Nobody waits for the job any more, nor for its cancel. */
function leave(turns: Turns, party: Party, job: Job, why: Why, reason: unknown): void {
  giveUp(job, why)
  job.why = why
  dequeue(turns, party, job)
  job.reject(reason)
}
