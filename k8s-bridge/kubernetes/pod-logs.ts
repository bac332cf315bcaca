import { setTimeout as delay } from 'node:timers/promises'
import type { LogEnd, LogEndWish } from '#db/queries/log-end.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import { headBytesOf, type Piece } from '../log-bounds.ts'
import type { Hidden } from '../redact.ts'
import { openContainerLog, type ContainerLog, type OpenLog } from './container-log.ts'
import { NoLogError } from './log-lines.ts'
import type { Pace } from './pace.ts'

/** A pod of which the logs are to be kept. */
export type LoggedPod = {
  key: AttemptKey
  namespace: string
  name: string
  /** Those that have started. */
  containers: readonly string[]
  /** Values that are stored as asterisks: see `secretsToHide`. */
  secrets: Hidden
}

export type PodLogOptions = {
  open: OpenLog
  append: (key: AttemptKey, container: string, piece: Piece) => Promise<number>
  findEnd: (key: AttemptKey, container: string, wish: LogEndWish) => Promise<LogEnd>
  /** Told of what will be tried again. */
  onError: (error: unknown) => void
  nowMs: () => number
  /** Bytes kept of the followed container's log; of another one's a tenth. */
  limitBytes: number
  /** Of all logs whose beginning is kept, while their pods run. */
  pace: Pace
  /** Of a request that does not follow. */
  readMs: number
  /** Pauses between the tries to read the rest; there is one try more. */
  retryMs: readonly number[]
}

export type PodLogs = {
  update(pod: LoggedPod): void
  /** Reads the adapter's log as it is written, until `stop`. */
  follow(): void
  isFollowed(): boolean
  /** False while its adapter has not started. */
  canBeFollowed(): boolean
  /** Reads once what is new and not followed; never throws. */
  poll(): void
  /** Stores what was read. */
  flush(): Promise<void>
  /** Ends all reading. */
  stop(): Promise<void>
  /** After `stop`: reads and stores the rest of all logs, or a line that says that it is missing. Throws if the database fails. */
  finish(): Promise<void>
}

const followed = 'adapter'
/** A connection that has died without a word is found out by then. */
const followMs = 5 * 60_000
const pauseMs = 1000
const pauseMsMax = 16_000
/** More than the window of `createLogOverlap`. */
const overlapSeconds = 3

export function createPodLogs(options: PodLogOptions, first: LoggedPod): PodLogs {
  const { onError, readMs, retryMs, pace } = options
  let pod = first
  const logs = new Map<string, Promise<ContainerLog>>()
  const ending = new AbortController()
  const { signal } = ending
  let following: Promise<void> | undefined
  let polling: Promise<void> | undefined

  const logOf = (container: string): Promise<ContainerLog> => {
    const opened = logs.get(container) ?? openLog(options, pod, container)
    logs.set(container, opened)
    opened.catch(() => logs.delete(container))
    return opened
  }
  const tell = (error: unknown) => {
    if (!signal.aborted && !isExpected(error)) onError(error)
  }

  const followToEnd = async () => {
    for (let pause = pauseMs; !signal.aborted;) {
      try {
        const log = await logOf(followed)
        await log.read({ follow: true, pace, signal: AbortSignal.any([signal, AbortSignal.timeout(followMs)]) })
        // Nothing more comes, or the kubelet has begun a new file.
        pause = pauseMs
      } catch (error) {
        tell(error)
        // What the API refuses, it may refuse for long; a connection that was cut is made again at once.
        pause = statusOf(error) === undefined ? pauseMs : Math.min(2 * pause, pauseMsMax)
      }
      await delay(pause, undefined, { signal }).catch(() => undefined)
    }
  }
  const pollOnce = async () => {
    for (const container of pod.containers) {
      if (following && container === followed) continue
      try {
        const log = await logOf(container)
        await log.read({ follow: false, pace, signal: AbortSignal.any([signal, AbortSignal.timeout(readMs)]) })
      } catch (error) {
        tell(error)
      }
    }
  }

  return {
    update: (now) => void (pod = now),
    follow: () => void (following ??= followToEnd()),
    isFollowed: () => following !== undefined,
    canBeFollowed: () => pod.containers.includes(followed),
    poll: () => void (polling ??= pollOnce().finally(() => (polling = undefined))),
    async flush() {
      for (const log of await Promise.all(logs.values())) await log.flush()
    },
    async stop() {
      ending.abort()
      await following
      await polling
    },
    async finish() {
      for (const container of pod.containers) await readRest(await logOf(container), { readMs, retryMs })
    },
  }
}

async function openLog(options: PodLogOptions, { key, namespace, name, secrets }: LoggedPod, container: string): Promise<ContainerLog> {
  const { open, append, findEnd, nowMs } = options
  const limitBytes = container === followed ? options.limitBytes : options.limitBytes / 10
  return openContainerLog({
    open,
    namespace,
    pod: name,
    container,
    end: await findEnd(key, container, { withinSeconds: overlapSeconds, headBytes: headBytesOf(limitBytes) }),
    secrets,
    limitBytes,
    append: (piece) => append(key, container, piece),
    nowMs,
  })
}

async function readRest(log: ContainerLog, { readMs, retryMs }: Pick<PodLogOptions, 'readMs' | 'retryMs'>): Promise<void> {
  const wasAtEnd = log.isAtEnd()
  for (let tries = 0; ; tries++) {
    try {
      await log.read({ follow: false, signal: AbortSignal.timeout(readMs) })
      break
    } catch (error) {
      // If it was the database that failed, this throws too.
      await log.flush()
      const pause = retryMs[tries]
      if (isAboutPod(error) || pause === undefined) {
        if (!wasAtEnd) log.noteMissingEnd(whyOf(error))
        break
      }
      await delay(pause)
    }
  }
  await log.flush()
}

function whyOf(error: unknown): string {
  const status = statusOf(error)
  if (status === 404) return 'the pod was gone before it was read'
  if (status === 400) return 'the container had no log'
  if (error instanceof NoLogError) return `the node said: ${error.message}`
  return status === undefined ? 'the cluster did not answer' : `the cluster answered ${status}`
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'status' in error && typeof error.status === 'number' ? error.status : undefined
}

/** The pod is gone, or its container has not begun: nothing to try again. */
const isAboutPod = (error: unknown) => statusOf(error) === 404 || statusOf(error) === 400

/** Of a pod that comes or goes, and of a reading that has taken its time. */
const isExpected = (error: unknown) =>
  isAboutPod(error) || (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError'))
