import type { Message } from '../models/message.ts'

/** Why a run that is pending has not started. */
export type Waiting = {
  /** A failure class (what the run will fail of if nothing changes), or `starting`, `queue`, `retry`. */
  kind: string
  /** A sentence for the user, free of secrets. */
  message: string
}

/** Seconds after which a pending run is asked why. */
const REASON_AFTER_SECONDS = 20
/** A bridge that was not seen for so long is not at work. */
const BRIDGE_SILENT_SECONDS = 60

type Pending = {
  waiting: Waiting | null
  /** Since the submit. */
  ageSeconds: number
  /** Seconds since a bridge last made a pass; null if none ever did. */
  bridgeSeenSecondsAgo: number | null
}

/**
 * What a client reads about a run that has not started: the reason that the bridge found, or, a while after the submit, what the queue
 * itself tells. Undefined while it is early.
 */
export function waitingMessage({ waiting, ageSeconds, bridgeSeenSecondsAgo }: Pending): Message | undefined {
  if (bridgeSeenSecondsAgo === null || bridgeSeenSecondsAgo > BRIDGE_SILENT_SECONDS) {
    return ageSeconds < REASON_AFTER_SECONDS ? undefined : asMessage(NO_BRIDGE)
  }
  if (waiting) return asMessage(waiting.message)
  return ageSeconds < REASON_AFTER_SECONDS ? undefined : asMessage(ITS_TURN)
}

const NO_BRIDGE =
  'No bridge is at work, so no benchmark is launched. It will be launched when the bridge is back; tell whoever operates this EvalHub.'
const ITS_TURN = 'The benchmark waits for its turn: as many are under way as the limits of this EvalHub allow.'

const asMessage = (message: string): Message => ({ message, message_code: 'benchmark_waiting', message_origin: 'server' })
