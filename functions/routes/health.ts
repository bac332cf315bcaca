import { Hono } from 'hono'
import { answer } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'

/** That this process answers. It asks nothing else, so that a database that is away does not get the process restarted. */
export const health = ({ now }: AppOptions) =>
  new Hono<AppEnv>().get('/', (c) => answer(c, 200, { status: 'healthy', timestamp: now().toISOString() }))
