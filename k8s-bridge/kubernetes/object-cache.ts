type Kept = { uid: string }

export type ObjectCache<T extends Kept> = {
  items(): Iterable<T>
  /** What has gone within `goneMs`, as it was last seen. */
  gone(): Iterable<T>
  find(uid: string): T | undefined
  put(item: T): void
  /** `last` is how it was when it went; absent: as it is known. */
  remove(uid: string, last?: T): void
  /** What is not among `items` has gone. */
  replace(items: ReadonlyMap<string, T>): void
}

/** Bound of what is remembered of what has gone. */
const goneMax = 10_000

/** Objects by uid, `keptMax` at most: beyond that, those go that were changed longest ago. */
export function createObjectCache<T extends Kept>({ keptMax, goneMs }: { keptMax: number; goneMs: number }): ObjectCache<T> {
  const kept = new Map<string, T>()
  const gone = new Map<string, { item: T; atMs: number }>()

  const forget = () => {
    const now = performance.now()
    for (const [uid, { atMs }] of gone) {
      if (now - atMs < goneMs && gone.size <= goneMax) break
      gone.delete(uid)
    }
  }

  const put = (item: T) => {
    gone.delete(item.uid)
    kept.delete(item.uid)
    kept.set(item.uid, item)
    for (const uid of kept.keys()) {
      if (kept.size <= keptMax) break
      kept.delete(uid)
    }
  }

  const remove = (uid: string, last = kept.get(uid)) => {
    kept.delete(uid)
    if (last && goneMs > 0) gone.set(uid, { item: last, atMs: performance.now() })
    forget()
  }

  return {
    items: () => kept.values(),
    gone: () => {
      forget()
      return [...gone.values()].map(({ item }) => item)
    },
    find: (uid) => kept.get(uid),
    put,
    remove,
    replace: (items) => {
      for (const uid of kept.keys()) if (!items.has(uid)) remove(uid)
      for (const item of items.values()) put(item)
    },
  }
}
