import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** How a command ended: one of the two is null. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null }

export type GroupProcess = {
  /** Of the group, and of the shell that leads it. */
  pid: number
  /** Resolves when the whole group is gone. Never rejects. */
  ended: Promise<Exit>
  /** Sends SIGTERM to the group, and SIGKILL after `graceMs`. Repeating it changes nothing. */
  end(graceMs: number): void
}

type Options = {
  /** Line for `sh -c`. */
  command: string
  environment: Record<string, string>
  /** File descriptor for standard output and error. */
  output: number
}

/**
 * Stands before the command. The guard, a process of the same group, reads from a pipe that only the hub holds: when the hub ends,
 * however it ends, or lets go of the pipe, the guard kills the group, itself included. The command gets the shell's place, so that its exit
 * code and signal arrive as they are; it does not inherit the guard's pipe.
 */
const GUARDED = `( trap '' TERM INT HUP; { read -r _ <&3; kill -s KILL 0; } </dev/null >/dev/null 2>&1 4>&- & )
exec sh -c "$1" 3<&-`

/** How long a killed group may take to let go of its pipes; what has left the group may hold them for ever. */
const vanishMs = 1000

/** Starts a command as a process group of its own. Throws if no process could be made. */
export async function startProcess({ command, environment, output }: Options): Promise<GroupProcess> {
  const stdio = ['ignore' as const, output, output, 'pipe' as const, 'pipe' as const]
  const child = spawn('sh', ['-c', GUARDED, 'sh', command], { detached: true, env: environment, stdio })
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  // Node makes a socket of each pipe, of which its types know only that it can be read or written.
  const [, , , guard, alive] = child.stdio as unknown as (Socket | undefined)[]
  await once(child, 'spawn')
  const pid = child.pid
  if (pid === undefined || !guard || !alive) throw new Error('a process without an id or pipes')
  // A pipe whose other end is gone may say so; that is what they are for.
  for (const pipe of [guard, alive]) pipe.on('error', () => {})
  // The guard's end closes with the guard. The other one is held by the command and, mostly, by what it starts: it closes with the last of them.
  const [guardEnded, allEnded] = [closed(guard), closed(alive)]

  let killed: Promise<void> | undefined
  const killAfter = async (graceMs: number) => {
    await delay(graceMs, undefined, { ref: false })
    if (isRunning(child)) signalGroup(pid, 'SIGKILL')
  }
  const ended = (async () => {
    const exit = await exited
    if (killed) await Promise.race([allEnded, killed])
    guard.end()
    await Promise.race([Promise.all([guardEnded, allEnded]), delay(vanishMs, undefined, { ref: false })])
    guard.destroy()
    alive.destroy()
    return exit
  })()
  return {
    pid,
    ended,
    end(graceMs) {
      if (killed) return
      // Until the shell's end has been seen, its id cannot mean another group.
      if (isRunning(child)) signalGroup(pid, 'SIGTERM')
      killed = killAfter(graceMs)
    },
  }
}

function closed(pipe: Socket): Promise<void> {
  pipe.resume()
  return new Promise((resolve) => pipe.once('close', () => resolve()))
}

const isRunning = ({ exitCode, signalCode }: { exitCode: number | null; signalCode: NodeJS.Signals | null }) =>
  exitCode === null && signalCode === null

/** True if a process group of this id exists, ours or not; also while its dead members wait to be collected. */
export function groupExists(pid: number): boolean {
  return signalGroup(pid, 0)
}

function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal)
  } catch (error) {
    // EPERM: there is one, and it is out of our reach.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
