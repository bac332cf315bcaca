import { setTimeout } from 'node:timers/promises'
import type { Agents } from './guarded-connect.ts'
import { InitError } from './init-error.ts'
import type { Staging } from './staging.ts'

/** What each way of fetching works with. */
export type Download = {
  staging: Staging
  agents: Agents
  /** Ends all that is under way. */
  signal: AbortSignal
  /** Where the source's Secret is mounted, if it has one. */
  secretDirectory: string
  /** Values that must stand in no message; what is read from the Secret is added. */
  secrets: Set<string>
}

/** A list of a thousand files comes to some hundred kilobytes. */
const answerBytesMax = 16 * 1024 * 1024

/** An answer that is held whole, since it says what to fetch: refused as soon as it is longer than any honest one. */
export async function* asAnswer(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > answerBytesMax)
      throw new InitError(`the server answers more than ${answerBytesMax} bytes to a question; check the endpoint`)
    yield chunk
  }
}

const parallelMax = 8
const triesMax = 3

/** Runs `work` for each item, a few at once. The first failure ends it: nothing new is begun, and what is under way is waited for. */
export async function forEachOf<Item>(items: AsyncIterable<Item> | Iterable<Item>, work: (item: Item) => Promise<void>): Promise<void> {
  const underWay = new Set<Promise<void>>()
  const failures: unknown[] = []
  for await (const item of items) {
    const one: Promise<void> = work(item)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => underWay.delete(one))
    underWay.add(one)
    if (underWay.size >= parallelMax) await Promise.race(underWay)
    if (failures.length > 0) break
  }
  await Promise.all(underWay)
  if (failures.length > 0) throw failures[0]
}

/** Repeats what the network or a busy server broke. What an `InitError` says, no repetition mends. */
export async function withRetries<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === triesMax || signal.aborted || error instanceof InitError) throw error
      await setTimeout(tries * 500, undefined, { signal })
    }
  }
}
