import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlink } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createFamily, RUN_VARIABLE } from './run-processes.ts'

/** How a command ended: one of the two is null. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null }

export type GroupProcess = {
  /** Of the group, and of the shell that leads it. */
  pid: number
  /** Resolves when the whole group is gone, and what has left it as far as it is found. Never rejects. */
  ended: Promise<Exit>
  /** Sends SIGTERM to all of these, and SIGKILL after `graceMs`; at once, without a word, if that is 0. Repeating it changes nothing. */
  end(graceMs: number): void
}

export type ProcessOptions = {
  /** Line for `sh -c`. */
  command: string
  environment: Record<string, string>
  /** File descriptor for standard output and error. */
  output: number
  /** Of this run alone, and of nothing else on this machine: it stands in the environment of its processes. */
  mark: string
  /** Told of processes that do not end. */
  onError: (error: unknown) => void
}

/**
 * Stands before the command, and waits for a line. The guard, a process of the same group, reads from a pipe that only the hub holds: when
 * the hub ends, however it ends, or lets go of the pipe, the guard kills the group, itself included. The command gets the shell's place, so
 * that its exit code and signal arrive as they are; it does not inherit the guard's pipe.
 */
const GUARDED = `read -r _ <&3 || exit
( trap '' TERM INT HUP; { read -r _ <&3; kill -s KILL 0; } </dev/null >/dev/null 2>&1 4>&- & )
exec sh -c "$1" 3<&-`

/** How long a killed group may take to let go of its pipes before it is asked who holds them, and how long after that. */
const closeMs = 100
const vanishMs = 1000

/** Starts a command as a process group of its own. Throws if no process could be made. */
export async function startProcess({ command, environment, output, mark, onError }: ProcessOptions): Promise<GroupProcess> {
  const stdio = ['ignore' as const, output, output, 'pipe' as const, 'pipe' as const]
  const child = spawn('sh', ['-c', GUARDED, 'sh', command], { detached: true, env: { ...environment, [RUN_VARIABLE]: mark }, stdio })
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
  const descriptor = await readlink(`/proc/${pid}/fd/4`).catch(() => undefined)
  const family = createFamily((value) => value === mark)
  guard.write('\n')

  const killAll = async (held?: string) => {
    const left = await family.kill(held)
    if (left > 0) onError(new Error(`${left} processes of the run ${mark} do not end`))
  }

  let killed: Promise<void> | undefined
  const killAfter = async (graceMs: number) => {
    // Before the first of them is told anything, so that nobody is lost when a parent ends.
    await family.look().catch(onError)
    // Until the shell's end has been seen, its id cannot mean another group.
    const signalRunning = (signal: NodeJS.Signals) => isRunning(child) && signalGroup(pid, signal)
    if (graceMs > 0) {
      signalRunning('SIGTERM')
      await family.signal('SIGTERM', pid).catch(onError)
      await delay(graceMs, undefined, { ref: false })
    }
    signalRunning('SIGKILL')
  }
  const ended = (async () => {
    const exit = await exited
    if (killed) await Promise.race([allEnded, killed])
    // The guard is found too, and with it the group's session: so is who has lost the mark.
    await killAll()
    guard.end()
    await atMost(closeMs, Promise.all([guardEnded, allEnded]))
    if (!alive.closed) {
      // Whoever keeps that pipe open is of the run, whatever has become of its environment.
      await killAll(descriptor)
      await atMost(vanishMs, Promise.all([guardEnded, allEnded]))
    }
    guard.destroy()
    alive.destroy()
    return exit
  })()
  return {
    pid,
    ended,
    end(graceMs) {
      killed ??= killAfter(graceMs)
    },
  }
}

const atMost = (ms: number, promise: Promise<unknown>) => Promise.race([promise, delay(ms, undefined, { ref: false })])

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
