import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../env.ts'
import type { RequestMemory } from '../memory.ts'

/**
 * Gives each request its part of the process's memory, and takes back what it holds when its work has ended. What its answer holds is given back
 * when it has been sent.
 */
export const holdMemory = (open: () => RequestMemory): MiddlewareHandler<AppEnv> =>
  async function holdMemory(c, next) {
    const memory = open()
    c.set('memory', memory)
    try {
      await next()
    } finally {
      memory.release()
    }
  }
