import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { checkHistory, untilSettled } from './check-history.ts'
import { listPending, submitJobs, takeBack } from './submit.ts'
import type { World } from './world.ts'

export type Dose = {
  /** Jobs, of one run each. */
  jobs: number
  /** Times at which the fault strikes. */
  points: number
}

type Trouble = World & {
  /** Submits the next share of the jobs. */
  next(): Promise<{ id: string; tenant: string }[]>
  points: number
  /** Jobs that were taken away whole. */
  removed: Set<string>
}

export type Fault = { name: string; strike(trouble: Trouble): Promise<void> }

const soon = (maxMs: number) => delay(Math.random() * maxMs)

async function killAll({ bridges, killBridge }: World): Promise<void> {
  while (bridges.length > 0) await killBridge(bridges[0]!)
}

async function repeat({ points, next }: Trouble, strike: (at: number) => Promise<void>): Promise<void> {
  for (let at = 0; at < points; at++) {
    await next()
    await strike(at)
  }
}

const CLOCK = fileURLToPath(new URL('jumping-clock.ts', import.meta.url))

/** Each begins with one bridge, and may leave any number. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'the bridge is killed at any moment',
    strike: (trouble) =>
      repeat(trouble, async () => {
        await soon(1500)
        await killAll(trouble)
        await trouble.startBridge()
      }),
  },
  {
    name: 'two bridges work at once, and one of them is killed',
    strike: async (trouble) => {
      await trouble.startBridge()
      await repeat(trouble, async (at) => {
        await soon(1500)
        await trouble.killBridge(trouble.bridges[at % 2]!)
        await trouble.startBridge()
      })
    },
  },
  {
    name: 'the API server is killed and comes back',
    strike: (trouble) =>
      repeat(trouble, async () => {
        await soon(1000)
        await trouble.cluster.killApiServer()
        await soon(1000)
        await trouble.cluster.startApiServer()
      }),
  },
  {
    name: 'the API server is slow',
    strike: (trouble) =>
      repeat(trouble, async () => {
        trouble.proxy.handicap({ delayMs: 500 + Math.random() * 2500 })
        await delay(2000)
      }),
  },
  {
    name: 'the API server answers 429 and 500',
    strike: (trouble) =>
      repeat(trouble, async () => {
        trouble.proxy.handicap({ refusedShare: 0.5, statuses: [429, 500, 503] })
        await delay(1500)
      }),
  },
  {
    name: 'the API server does what it is asked, and its answers are lost',
    strike: (trouble) =>
      repeat(trouble, async () => {
        trouble.proxy.handicap({ unansweredShare: 0.3 })
        await delay(1500)
      }),
  },
  {
    name: 'every connection to the API server is cut every second',
    strike: (trouble) =>
      repeat(trouble, async () => {
        await delay(1000)
        trouble.proxy.cut()
      }),
  },
  {
    name: 'the database is started again',
    strike: (trouble) =>
      repeat(trouble, async () => {
        await soon(1000)
        await trouble.restartDatabase(Math.random() * 1000)
      }),
  },
  {
    name: 'the clock of the bridge jumps by an hour, and back',
    strike: async (trouble) => {
      await killAll(trouble)
      const bridge = await trouble.startBridge({ NODE_OPTIONS: `--import=${CLOCK}`, CLOCK_JUMP_MS: '3600000' })
      await repeat(trouble, async () => {
        await soon(1000)
        bridge.child.kill('SIGUSR2')
      })
      await trouble.killBridge(bridge)
      const behind = await trouble.startBridge({ NODE_OPTIONS: `--import=${CLOCK}`, CLOCK_JUMP_MS: '-3600000' })
      behind.child.kill('SIGUSR2')
      await delay(1000)
    },
  },
  { name: 'jobs are cancelled and deleted while they launch, run and finish', strike: (trouble) => takeAllBack(trouble, 3000) },
  {
    name: 'jobs are cancelled and deleted while the API server is away',
    strike: async (trouble) => {
      await trouble.next()
      await soon(1000)
      trouble.proxy.setRefusing(true)
      trouble.proxy.cut()
      await takeAllBack(trouble, 1500)
      trouble.proxy.setRefusing(false)
    },
  },
  {
    name: 'jobs are cancelled and deleted while the bridge is killed',
    strike: async (trouble) => {
      const killing = (async () => {
        for (let at = 0; at < trouble.points; at++) {
          await soon(1500)
          await killAll(trouble)
          await trouble.startBridge()
        }
      })()
      await Promise.all([killing, takeAllBack(trouble, 4000)])
    },
  },
]

/** Two of three, half of them for good. */
async function takeAllBack(trouble: Trouble, withinMs: number): Promise<void> {
  await Promise.all(
    Array.from({ length: trouble.points }, async () => {
      const jobs = await trouble.next()
      await Promise.all(
        jobs.map(async (job) => {
          const chance = Math.random()
          if (chance > 0.66) return
          await soon(withinMs)
          const isHard = chance < 0.33
          if (isHard) trouble.removed.add(job.id)
          await takeBack(trouble, job, isHard)
        }),
      )
    }),
  )
}

/** Lets one fault strike while jobs come in, waits until all is quiet, and answers what is wrong with the history. */
export async function suffer(world: World, fault: Fault, { jobs, points }: Dose, settleMs = 90_000): Promise<string[]> {
  const submitted: string[] = []
  const removed = new Set<string>()
  let left = jobs
  const next = async () => {
    const count = Math.min(left, Math.ceil(jobs / points))
    left -= count
    const share = await submitJobs(world, count)
    submitted.push(...share.map(({ id }) => id))
    return share
  }
  if (world.bridges.length === 0) await world.startBridge()
  const scan = scanPending(world)
  await fault.strike({ ...world, next, points, removed })
  while ((await next()).length > 0);
  world.proxy.handicap({})
  while (world.bridges.length > 1) await world.killBridge(world.bridges[0]!)
  try {
    await untilSettled(world, settleMs)
  } catch (error) {
    return [error instanceof Error ? error.message : String(error), ...world.deaths, ...(await scan.stop())]
  }
  return [...(await checkHistory(world, submitted, removed)), ...world.deaths, ...(await scan.stop())]
}

/** Nothing is pending for longer than that without a reason that a user can read. */
const reasonWithinSeconds = 30

function scanPending(world: World): { stop(): Promise<string[]> } {
  const silent = new Set<string>()
  const stopping = new AbortController()
  const scan = async () => {
    while (!stopping.signal.aborted) {
      for (const { id, ageSeconds, reason } of await listPending(world)) {
        if (ageSeconds > reasonWithinSeconds && !reason)
          silent.add(`run ${id} is pending for ${Math.round(ageSeconds)} s, and says nothing`)
      }
      await delay(1000)
    }
  }
  const ended = scan()
  return {
    async stop() {
      stopping.abort()
      await ended
      return [...silent]
    },
  }
}
