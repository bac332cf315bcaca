import { setTimeout as sleep } from 'node:timers/promises'
import { ApiFailure, type OpenStream } from './api-stream.ts'
import { listAll, type ListSource } from './list.ts'
import { createObjectCache, type ObjectCache } from './object-cache.ts'
import { watchFrom, type Change, type WatchEnd } from './watch.ts'

export type Reflector<T> = {
  /** What is there. */
  items(): Iterable<T>
  /** What has gone lately, as it was last seen. */
  gone(): Iterable<T>
  /** True once all that was there at the start has been read. */
  isSynced(): boolean
  /** Ends the connection. Nothing is told from here on. */
  close(): Promise<void>
}

/**
 * Why a connection was begun anew: see `WatchEnd`. `doubt`: the server’s answers to one version led to nothing. `due`: the list is read from
 * time to time.
 */
export type RestartReason = WatchEnd['why'] | 'doubt' | 'due'

export type ReflectOptions<Raw, T> = {
  open: OpenStream
  /** Of the list, such as `/api/v1/pods`. */
  path: string
  /** `labelSelector`, `fieldSelector`. */
  selectors?: Readonly<Record<string, string>>
  /** What is kept of an object; undefined: nothing. `before` is what was kept of it last. */
  trim: (raw: Raw, before: T | undefined) => T | undefined
  /** Told after every change, once for changes that come together. */
  onChange: () => void
  /** Told of every watch that has ended and every list that is read again. */
  onRestart: (why: RestartReason) => void
  /** Told what went wrong. It is tried again. */
  onError: (error: unknown) => void
  /** Objects kept at most; beyond that the oldest go. No bound unless told. */
  keptMax?: number
  /** How long what has gone is remembered; not at all unless told. */
  goneMs?: number
  /** True for a kind that a cluster need not know or show: if it does not, there is nothing of it. */
  isOptional?: boolean
  timing?: Partial<Timing>
}

export type Timing = {
  /** The list is read as often as that, should server and copy ever disagree. */
  relistMs: number
  /** Who may not look at a kind that need not be shown asks again after this. */
  deniedMs: number
  /** A connection on which nothing comes for so long is dead: the server sends bookmarks every minute. */
  silentMs: number
  /** First and longest pause after something went wrong. */
  pauseMs: number
  pauseMaxMs: number
  /** The server ends a watch after this to twice as long. */
  watchSeconds: number
  pageSize: number
}

const TIMING: Timing = {
  relistMs: 1_800_000,
  deniedMs: 60_000,
  silentMs: 90_000,
  pauseMs: 100,
  pauseMaxMs: 5000,
  watchSeconds: 300,
  pageSize: 100,
}

/** A watch that lasted so long was a good one, even if nothing happened. */
const goodWatchMs = 500
/** Answers in a row that lead to nothing, before the version itself is doubted: a server that was restored may not know it. */
const doubtAfter = 4
/** No server is waited for longer than that, whatever it asks. */
const retryAfterMaxMs = 60_000

type Known = { metadata: { uid: string; resourceVersion: string } }

/**
 * A true copy, trimmed, of the cluster’s objects of one kind: a paged list, then a watch from its version, again and again.
 *
 * A watch that breaks goes on from the last version that was seen, so that no change and no deletion is missed. What the server has
 * forgotten (410) is listed again, and what the list lacks has gone. No failure ends it: each is told, and tried again after a pause.
 */
export function reflect<Raw extends Known, T extends { uid: string }>(options: ReflectOptions<Raw, T>): Reflector<T> {
  const { open, path, selectors = {}, keptMax = Infinity, goneMs = 0 } = options
  const timing = { ...TIMING, ...options.timing }
  const cache = createObjectCache<T>({ keptMax, goneMs })
  const closing = new AbortController()
  const copy: Copy<Raw, T> = {
    ...options,
    timing,
    source: { open, path, selectors, ...timing },
    cache,
    signal: closing.signal,
    isSynced: false,
  }
  const ended = keepTrue(copy)
  return {
    items: () => cache.items(),
    gone: () => cache.gone(),
    isSynced: () => copy.isSynced,
    close: async () => {
      closing.abort()
      await ended
    },
  }
}

type Copy<Raw, T extends { uid: string }> = Pick<ReflectOptions<Raw, T>, 'trim' | 'onChange' | 'onRestart' | 'onError' | 'isOptional'> & {
  timing: Timing
  source: ListSource & Timing
  cache: ObjectCache<T>
  signal: AbortSignal
  isSynced: boolean
}

async function keepTrue<Raw extends Known, T extends { uid: string }>(copy: Copy<Raw, T>): Promise<void> {
  const { signal, timing, onRestart, onError } = copy
  for (let failures = 0; !signal.aborted;) {
    const startedAtMs = performance.now()
    try {
      const why = await follow(copy, await relist(copy))
      if (signal.aborted) return
      onRestart(why)
      failures = performance.now() - startedAtMs >= goodWatchMs ? 0 : failures + 1
      if (failures > 0) await pause(copy, failures)
    } catch (error) {
      if (signal.aborted) return
      const isUnknown = error instanceof ApiFailure && error.status === 404
      const isForbidden = error instanceof ApiFailure && error.status === 403
      if (!copy.isOptional || !isUnknown) onError(error)
      if (copy.isOptional && (isUnknown || isForbidden)) {
        replace(copy, new Map())
        await wait(isForbidden ? timing.deniedMs : timing.relistMs, signal)
      } else {
        await pause(copy, ++failures, error)
      }
    }
  }
}

/** Returns the version that the list shows. */
async function relist<Raw extends Known, T extends { uid: string }>(copy: Copy<Raw, T>): Promise<string> {
  const found = new Map<string, T>()
  const onPage = (objects: Raw[]) => {
    for (const object of objects) {
      const item = keptOf(copy, object)
      if (item) found.set(item.uid, item)
    }
  }
  const version = await listAll<Raw>(copy.source, copy.signal, { onStart: () => found.clear(), onPage })
  replace(copy, found)
  return version
}

function replace<Raw, T extends { uid: string }>(copy: Copy<Raw, T>, found: ReadonlyMap<string, T>): void {
  copy.cache.replace(found)
  copy.isSynced = true
  copy.onChange()
}

/** Watches from a listed version until the list has to be read again; returns why. */
async function follow<Raw extends Known, T extends { uid: string }>(copy: Copy<Raw, T>, listed: string): Promise<RestartReason> {
  const { timing, source, signal, onRestart, onError } = copy
  const dueAtMs = performance.now() + timing.relistMs * (0.9 + Math.random() / 5)
  let version = listed
  for (let failures = 0, fruitless = 0; fruitless < doubtAfter;) {
    const startedAtMs = performance.now()
    const before = version
    const end = await watchFrom<Raw>({ ...source, version, timeoutSeconds: secondsUntil(dueAtMs, timing), signal }, (changes, seen) => {
      version = seen
      take(copy, changes)
    })
    if (signal.aborted) return end.why
    if ('error' in end) onError(end.error)
    if (end.why === 'expired') return end.why
    if (performance.now() >= dueAtMs) return 'due'
    onRestart(end.why)
    const isGood = version !== before || performance.now() - startedAtMs >= goodWatchMs
    failures = isGood ? 0 : failures + 1
    // A server that cannot be reached says nothing about the version.
    if (isGood) fruitless = 0
    else if (end.why === 'refused' || end.why === 'ended') fruitless += 1
    if ('error' in end || !isGood) await pause(copy, failures, 'error' in end ? end.error : undefined)
  }
  return 'doubt'
}

function take<Raw extends Known, T extends { uid: string }>(copy: Copy<Raw, T>, changes: readonly Change<Raw>[]): void {
  for (const { type, object } of changes) {
    const item = keptOf(copy, object)
    if (item && type !== 'DELETED') copy.cache.put(item)
    else copy.cache.remove(object.metadata.uid, item)
  }
  if (changes.length > 0) copy.onChange()
}

/** An object that cannot be read is told and passed over: it must not hold up those after it. */
function keptOf<Raw extends Known, T extends { uid: string }>({ trim, cache, onError }: Copy<Raw, T>, object: Raw): T | undefined {
  try {
    return trim(object, cache.find(object.metadata.uid))
  } catch (error) {
    onError(error)
    return undefined
  }
}

/** Longer with every failure, with jitter, and as long as the server asks. */
async function pause({ timing, signal }: Pick<Copy<never, never>, 'timing' | 'signal'>, failures: number, error?: unknown): Promise<void> {
  const askedMs = error instanceof ApiFailure ? (error.retryAfterSeconds ?? 0) * 1000 : 0
  const ownMs = Math.min(timing.pauseMs * 2 ** failures, timing.pauseMaxMs) * (0.5 + Math.random() / 2)
  await wait(Math.max(ownMs, Math.min(askedMs, retryAfterMaxMs)), signal)
}

/** Ends early, and in order, with the signal. */
const wait = (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal }).catch(() => {})

/** Watches of many bridges do not end at once, and none outlasts the time at which the list is due. */
const secondsUntil = (dueAtMs: number, { watchSeconds }: Timing) =>
  Math.max(1, Math.ceil(Math.min(watchSeconds * (1 + Math.random()), (dueAtMs - performance.now()) / 1000)))
