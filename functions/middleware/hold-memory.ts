import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../env.ts'
import type { OpenMemory } from '../memory.ts'
import { isStreamed } from '../streamed-answer.ts'
import { whenClosed } from '../when-closed.ts'

/**
 * Gives each request its part of the process's memory, on its party's account, and takes back what it holds when its work has ended. What its
 * answer holds is given back when it has been sent, or nobody takes it: whatever becomes of a request, nothing of it is held in the end.
 */
export const holdMemory = (open: OpenMemory): MiddlewareHandler<AppEnv> =>
  async function holdMemory(c, next) {
    const { party, signal } = c.var
    const memory = open(party, signal)
    c.set('memory', memory)
    try {
      await next()
    } finally {
      memory.release()
      // Another answer was given in the place of this one, or where nothing is told of it, it is on its way.
      if (signal.aborted || (!c.env?.outgoing && !isStreamed(c.res))) memory.end()
      // One in parts ends by itself.
      else if (!isStreamed(c.res)) whenClosed(c, memory.end)
    }
  }
