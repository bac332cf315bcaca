import { readFileSync } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/*
 * Finds and ends the processes of runs wherever they went: out of the process group, into a session of their own, to another parent.
 * On Linux, by a variable of their environment, which all that an adapter starts inherits. Elsewhere nothing is found.
 */

/** Its value, in an adapter's environment, is the mark of the run. */
export const RUN_VARIABLE = 'EVALHUB_RUN'

/** A process as `/proc` shows it. `start` tells it from another one that gets its id later. */
export type Seen = { pid: number; parent: number; group: number; session: number; start: string; isMarked: boolean }

/** This process and those that it runs below, and its session: what is never ended here, whatever is marked. */
export type Own = { above: ReadonlySet<number>; session: number }

/** What is marked, its sessions and its descendants, whose marks may be gone. */
export function familyOf(processes: readonly Seen[], own: Own): Seen[] {
  const others = processes.filter(({ pid }) => !own.above.has(pid))
  let family = others.filter(({ isMarked }) => isMarked)
  for (let size = -1; size !== family.length;) {
    size = family.length
    const pids = new Set(family.map(({ pid }) => pid))
    const sessions = new Set(family.map(({ session }) => session))
    sessions.delete(own.session)
    family = others.filter(({ pid, parent, session }) => pids.has(pid) || pids.has(parent) || sessions.has(session))
  }
  return family
}

/** What a run started, as far as it is found. Whoever was found once stays known, also if the mark and the parent that told of it are gone. */
export type Family = {
  look(): Promise<Seen[]>
  /** Sends a signal to all but those of one group. */
  signal(signal: NodeJS.Signals, exceptGroup: number): Promise<void>
  /**
   * Kills all until none is found. Answers how many are left after two seconds, as of a process that waits for a broken disk.
   * `descriptor`: who has one of which `/proc/PID/fd` shows this is of the family too.
   */
  kill(descriptor?: string): Promise<number>
}

/** Rounds of killing: who is forked meanwhile is found by the next one. */
const ROUNDS_MAX = 100
const ROUND_MS = 20
/** Rounds without anybody that end it, once anybody was found: who forks may come and go while a round looks elsewhere. */
const QUIET_ROUNDS = 5

export function createFamily(isMark: (value: string) => boolean): Family {
  const known = new Map<number, string>()
  const own = readOwn()

  const look = async (search: Partial<Search> = {}) => {
    const processes = await readProcesses({ isMark, isKnown: ({ pid, start }) => known.get(pid) === start, ...search })
    const family = familyOf(processes, own)
    for (const { pid, start } of family) known.set(pid, start)
    return family
  }

  return {
    look,
    async signal(signal, exceptGroup) {
      for (const one of await look()) if (one.group !== exceptGroup) signalSame(one, signal)
    },
    async kill(descriptor) {
      let quietRounds = 0
      let hasFound = false
      for (let round = 1; ; round++) {
        // All are known before the first is killed. Then what is marked is killed as soon as it is seen, before it forks again.
        const atOnce = (one: Seen) => void (own.above.has(one.pid) || signalSame(one, 'SIGKILL'))
        const family = await look(round === 1 ? { descriptor } : { descriptor, onMarked: atOnce })
        for (const one of family) signalSame(one, 'SIGKILL')
        hasFound ||= family.length > 0
        quietRounds = family.length === 0 ? quietRounds + 1 : 0
        if (quietRounds === (hasFound ? QUIET_ROUNDS : 1) || round === ROUNDS_MAX) return family.length
        await delay(ROUND_MS)
      }
    },
  }
}

/** Only if it still is the process that was looked at. */
function signalSame({ pid, start }: Seen, signal: NodeJS.Signals): void {
  if (readStat(pid)?.start !== start) return
  try {
    process.kill(pid, signal)
  } catch {
    // It has just ended, or is another user's.
  }
}

function readOwn(): Own {
  const above = new Set<number>()
  let session = 0
  for (let pid = process.pid; pid > 0 && !above.has(pid);) {
    above.add(pid)
    const stat = readStat(pid)
    if (pid === process.pid) session = stat?.session ?? 0
    pid = stat?.parent ?? 0
  }
  return { above, session }
}

function readStat(pid: number): ReturnType<typeof parseStat> {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return undefined // It has ended, or this is no Linux.
  }
}

type Search = {
  isMark: (value: string) => boolean
  isKnown: (one: Omit<Seen, 'isMarked'>) => boolean
  descriptor?: string | undefined
  onMarked?: (one: Seen) => void
}

/** Read at once; more would make each of them older when it is looked at. */
const READ_AT_ONCE = 16

async function readProcesses(search: Search): Promise<Seen[]> {
  const names = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const found: Seen[] = []
  const reader = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const one = await readProcess(name, search)
      if (one?.isMarked) search.onMarked?.(one)
      if (one) found.push(one)
    }
  }
  await Promise.all(Array.from({ length: READ_AT_ONCE }, reader))
  return found
}

/** Undefined for one that has ended, or only waits to be collected. */
async function readProcess(name: string, search: Search): Promise<Seen | undefined> {
  try {
    const stat = parseStat(await readFile(`/proc/${name}/stat`, 'utf8'))
    const one = stat && { pid: Number(name), ...stat }
    return one && { ...one, isMarked: search.isKnown(one) || (await hasMark(name, search)) || (await hasDescriptor(name, search)) }
  } catch {
    return undefined
  }
}

async function hasMark(name: string, { isMark }: Search): Promise<boolean> {
  const text = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '') // Other users' are closed.
  const prefix = `${RUN_VARIABLE}=`
  return text.includes(prefix) && text.split('\0').some((entry) => entry.startsWith(prefix) && isMark(entry.slice(prefix.length)))
}

async function hasDescriptor(name: string, { descriptor }: Search): Promise<boolean> {
  if (descriptor === undefined) return false
  const numbers = await readdir(`/proc/${name}/fd`).catch(() => [])
  const targets = await Promise.all(numbers.map((number) => readlink(`/proc/${name}/fd/${number}`).catch(() => '')))
  return targets.includes(descriptor)
}

/** The kernel's own threads have it among their flags. */
const KERNEL_THREAD = 0x200000

/**
 * Of what stands behind the name, which may hold blanks and brackets itself: state, parent, group, session, two more, flags, …, start (the
 * 20th). Undefined for what has ended and only waits to be collected, and for the kernel's own.
 */
export function parseStat(text: string): Omit<Seen, 'pid' | 'isMarked'> | undefined {
  const [state = '', parent, group, session, , , flags, ...more] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  if ('ZX'.includes(state) || Number(flags) & KERNEL_THREAD) return undefined
  return { parent: Number(parent), group: Number(group), session: Number(session), start: more[12] ?? '' }
}
