import { ApiFailure, type OpenStream } from './api-stream.ts'
import { limitIdle } from './idle-limit.ts'

/** Objects of a kind, to be listed or watched. */
export type ListSource = {
  open: OpenStream
  /** Of the list, such as `/api/v1/pods`. */
  path: string
  /** `labelSelector`, `fieldSelector`. */
  selectors: Readonly<Record<string, string>>
  /** A connection on which nothing comes for so long is dead. */
  silentMs: number
}

type ListOptions = ListSource & { pageSize: number }

type Page<Raw> = { metadata?: { resourceVersion?: string; continue?: string }; items?: Raw[] }

/** A list that went stale while it was paged is begun again so often. */
const restartsMax = 3

/**
 * Reads a whole list, page by page, and gives each page away before it asks for the next. Returns the version that the list shows:
 * a watch from there misses nothing. `onStart` is called before the first page, again if the list has to be begun anew.
 */
export async function listAll<Raw>(
  options: ListOptions,
  signal: AbortSignal,
  { onStart, onPage }: { onStart: () => void; onPage: (objects: Raw[]) => void },
): Promise<string> {
  let version = ''
  let next: string | undefined
  for (let restarts = 0; ;) {
    try {
      if (next === undefined) onStart()
      const page: Page<Raw> = await readPage(options, next, signal)
      version = page.metadata?.resourceVersion ?? ''
      onPage(page.items ?? [])
      next = page.metadata?.continue
      if (!next) return version
    } catch (error) {
      const isStale = next !== undefined && error instanceof ApiFailure && error.status === 410
      if (!isStale || ++restarts > restartsMax) throw error
      next = undefined
    }
  }
}

async function readPage<Raw>({ open, path, selectors, pageSize, silentMs }: ListOptions, next: string | undefined, signal: AbortSignal) {
  const query = new URLSearchParams({ ...selectors, limit: String(pageSize), ...(next !== undefined && { continue: next }) })
  const limit = limitIdle(signal, silentMs)
  try {
    const chunks: Buffer[] = []
    for await (const chunk of await open(`${path}?${query}`, limit.signal)) {
      limit.touch()
      chunks.push(chunk)
    }
    // The server answers in its own schema.
    return JSON.parse(Buffer.concat(chunks).toString()) as Page<Raw>
  } catch (error) {
    throw limit.isOver() ? new Error(`The list of ${path} stopped for ${silentMs} ms.`, { cause: error }) : error
  } finally {
    limit.end()
  }
}
