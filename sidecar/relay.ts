import { HubError } from '#shared/errors.ts'
import type { Log } from '#shared/log.ts'
import type { SidecarSettings } from './config.ts'
import { isSuperseded, readEvent, refusalOf, type SidecarEvent } from './event.ts'
import type { Posted } from './post-event.ts'
import { createSender, type Waiting } from './sender.ts'
import type { Spool } from './spool.ts'

/** Events that are not terminal and wait, and what they hold together; of more than these the oldest go. */
const WAITING_EVENTS = 64
const WAITING_CHARACTERS = 4 * 1024 * 1024
/** Terminal events that wait: an adapter has one result, and cannot fill the disk. */
const WAITING_ENDS = 4

type Refusal = { status: number; body: string }

/** Takes the events of one run from its adapter and hands them to the hub, each at least once and in their order. */
export type Relay = {
  /**
   * Resolves once the event will reach the hub: a terminal one when it is on the disk, another when it is in memory. Throws a `HubError` for
   * what is no event of this run. Resolves with the hub's refusal if it has said that the run is over.
   */
  take: (text: string) => Promise<Refusal | undefined>
  /** Resolves when nothing waits any more. What waits for another try is sent at once. */
  flush: () => Promise<void>
  /** Terminal events that the hub has not acknowledged. */
  undelivered: () => string[]
  /** Sends nothing more; what waits stays in the spool. */
  stop: () => void
}

type Settings = {
  run: SidecarSettings['run']
  retryMs: readonly [first: number, longest: number]
  spool: Spool
  /** What an earlier sidecar of this run left in the spool. */
  left: readonly { name: string; text: string }[]
  /** The body as it is sent. */
  complete: (event: SidecarEvent) => Promise<string>
  post: (text: string) => Promise<Posted>
  log: Log
  /** From 0 to 1. */
  random: () => number
}

/** The relay of one run. */
export function createRelay({ run, retryMs, spool, left, complete, post, log, random }: Settings): Relay {
  const waiting: Waiting[] = left.map(({ name, text }) => ({ text, isTerminal: true, fields: [], isUnderWay: false, file: name }))
  let over: Refusal | undefined
  let turn: Promise<unknown> = Promise.resolve()

  const ends = () => waiting.filter(({ isTerminal }) => isTerminal)
  const keep = async (event: SidecarEvent, isReason: boolean) => {
    const text = await complete(event)
    add(waiting, { text, isTerminal: true, fields: [], isUnderWay: false, file: await spool.keep(text), isReason }, log)
  }
  const settle = async (event: Waiting, answer: Exclude<Posted, { outcome: 'unanswered' }>) => {
    waiting.splice(waiting.indexOf(event), 1)
    if (answer.outcome !== 'taken') log.info(`The hub refused an event: ${answer.body.slice(0, 2000)}`, { status: answer.status })
    if (answer.outcome === 'over') over = answer
    try {
      // A result that is not taken would leave its run without any reason.
      const needsReason = answer.outcome === 'refused' && event.isTerminal && !event.isReason
      if (needsReason) await keep(refusalOf(run, `The hub did not take the result: ${answer.body.slice(0, 2000)}`), true)
      if (event.file !== undefined) await spool.forget(event.file)
    } catch (error) {
      // At worst the event is sent again by the next sidecar of this run.
      log.error('The spool cannot be written', error)
    }
  }
  const sender = createSender({ waiting, post, settle, retryMs, log, random })

  const take = async (text: string) => {
    const event = readEvent(text, run)
    if (over) return over
    const { isTerminal, fields } = event
    if (!isTerminal) add(waiting, { isTerminal, fields, text: await complete(event), isUnderWay: false }, log)
    else if (ends().length < WAITING_ENDS) await keep(event, false)
    else throw HubError.of('unavailable', { Error: `${WAITING_ENDS} results of this run wait already.` })
    sender.start()
    return undefined
  }

  if (waiting.length > 0) sender.start()
  return {
    take(text) {
      // One after another, so that events wait in the order in which they came.
      const taken = turn.then(() => take(text))
      turn = taken.catch(() => undefined)
      return taken
    },
    async flush() {
      await turn
      sender.hurry()
      await sender.done()
    },
    undelivered: () => ends().map(({ text }) => text),
    stop: sender.stop,
  }
}

function add(waiting: Waiting[], event: Waiting, log: Log): void {
  const previous = waiting.at(-1)
  if (previous && !previous.isUnderWay && isSuperseded(previous, event)) waiting.pop()
  waiting.push(event)
  const others = waiting.filter(({ isTerminal, isUnderWay }) => !isTerminal && !isUnderWay)
  let characters = others.reduce((sum, { text }) => sum + text.length, 0)
  for (const [at, oldest] of others.entries()) {
    if (others.length - at <= WAITING_EVENTS && characters <= WAITING_CHARACTERS) return
    characters -= oldest.text.length
    waiting.splice(waiting.indexOf(oldest), 1)
    log.info('An event that waited was dropped: too much waits', { waiting: waiting.length })
  }
}
