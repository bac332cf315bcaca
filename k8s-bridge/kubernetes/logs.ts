import { attemptName, type AttemptKey } from '#shared/domain/attempt-key.ts'
import { headBytesOf } from '../log-bounds.ts'
import type { Hidden } from '../redact.ts'
import { createEventLog, type EventLog, type PodEvent } from './event-log.ts'
import { createPace } from './pace.ts'
import { createPodLogs, type LoggedPod, type PodLogOptions, type PodLogs } from './pod-logs.ts'

export type LogShipper = {
  /** Keeps a pod's logs from now on; to be called again when more of its containers have started. */
  track(pod: LoggedPod): void
  /** Keeps what the cluster tells of an attempt, each of it once, as lines of a log of its own, `events`. */
  addEvents(key: AttemptKey, events: readonly PodEvent[], secrets: Hidden): Promise<void>
  /**
   * Keeps the rest of the logs of an attempt that has ended, or a line that says that it is missing, and forgets the attempt: its logs are
   * sealed. Throws if the database does not take them; then it is to be called again.
   */
  finish(key: AttemptKey): Promise<void>
  /** Ends all reading, and stores what was read. */
  close(): Promise<void>
}

export type LogShipperOptions = Pick<PodLogOptions, 'open' | 'append' | 'findEnd' | 'onError' | 'nowMs'> & {
  /** Adapters that are followed at once; further ones, and all other containers, are asked every `pollMs`. */
  followedMax?: number
  pollMs?: number
  /** From a followed line to the database at most, with what the database takes. */
  flushMs?: number
  /** Bytes kept of an adapter's log, half of them its beginning and the rest its end; of another container's a tenth. */
  limitBytes?: number
  /** Read of all logs together whose beginning is kept, while they are written: a container that writes without end takes no more of the bridge. */
  tailBytesPerSecond?: number
  retryMs?: readonly number[]
}

/** In seconds: all of a log. */
const always = 100 * 365 * 86_400

/** Brings the logs of pods into the database. What it knows is there too: after a restart it goes on where the earlier one ended. */
export function createLogShipper(options: LogShipperOptions): LogShipper {
  const {
    followedMax = 200,
    pollMs = 30_000,
    flushMs = 1000,
    limitBytes = 50 * 1024 * 1024,
    tailBytesPerSecond = 4 * 1024 * 1024,
    retryMs = [500, 1000, 2000, 4000],
    onError,
  } = options
  const pace = createPace(tailBytesPerSecond, () => performance.now())
  const podOptions = { ...options, limitBytes, retryMs, pace, readMs: pollMs }
  const pods = new Map<string, PodLogs>()
  const eventLogs = new Map<string, Promise<EventLog>>()

  const followSome = () => {
    let free = followedMax - [...pods.values()].filter((pod) => pod.isFollowed()).length
    for (const pod of pods.values()) {
      if (free <= 0) return
      if (pod.isFollowed() || !pod.canBeFollowed()) continue
      pod.follow()
      free--
    }
  }
  const flushing = setInterval(() => {
    for (const pod of pods.values()) pod.flush().catch(onError)
  }, flushMs)
  const polling = setInterval(() => {
    for (const pod of pods.values()) pod.poll()
  }, pollMs)

  return {
    track(pod) {
      const name = attemptName(pod.key)
      const known = pods.get(name)
      if (known) known.update(pod)
      else pods.set(name, createPodLogs(podOptions, pod))
      followSome()
    },
    async addEvents(key, events, secrets) {
      const name = attemptName(key)
      const opening = eventLogs.get(name) ?? openEventLog(podOptions, key, secrets)
      eventLogs.set(name, opening)
      opening.catch(() => eventLogs.delete(name))
      await (await opening).add(events)
    },
    async finish(key) {
      const name = attemptName(key)
      const pod = pods.get(name)
      await pod?.stop()
      await pod?.finish()
      pods.delete(name)
      eventLogs.delete(name)
      followSome()
    },
    async close() {
      clearInterval(flushing)
      clearInterval(polling)
      await Promise.all([...pods.values()].map((pod) => pod.stop()))
      await Promise.all([...pods.values()].map((pod) => pod.flush().catch(onError)))
      pods.clear()
    },
  }
}

async function openEventLog({ append, findEnd, nowMs, ...options }: PodLogOptions, key: AttemptKey, secrets: Hidden): Promise<EventLog> {
  const container = 'events'
  const limitBytes = options.limitBytes / 10
  const end = await findEnd(key, container, { withinSeconds: always, headBytes: headBytesOf(limitBytes) })
  return createEventLog({ end, secrets, nowMs, limitBytes, append: (piece) => append(key, container, piece) })
}
