import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../env.ts'
import type { OpenMemory } from '../memory.ts'

/**
 * Gives each request its part of the process's memory, on its party's account, and takes back what it holds when its work has ended. What its
 * answer holds is given back when it has been sent.
 */
export const holdMemory = (open: OpenMemory): MiddlewareHandler<AppEnv> =>
  async function holdMemory(c, next) {
    const memory = open(c.get('party'))
    c.set('memory', memory)
    try {
      await next()
    } finally {
      memory.release()
    }
  }
