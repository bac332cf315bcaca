import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Task } from './child.ts'
import type { Figures } from './measure.ts'

function start(task: Task): { child: ChildProcess; result: Promise<unknown> } {
  const child = fork(join(import.meta.dirname, 'child.ts'))
  child.send(task)
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`a process of the benchmark ended with ${code}`)
  })
  return { child, result: Promise.race([once(child, 'message').then(([message]) => message as unknown), failed]) }
}

/** What a process of its own measures. */
export async function figuresOf(task: Exclude<Task, { role: 'server' }>): Promise<Figures> {
  const { child, result } = start(task)
  // Each role answers in its form (`child.ts`).
  const figures = (await result) as Figures
  child.kill()
  return figures
}

export type Server = { url: string; pid: number; stop: () => void }

/** The API in a process of its own. */
export async function startServer(databaseUrl: string): Promise<Server> {
  const { child, result } = start({ role: 'server', databaseUrl })
  // The same.
  const { url } = (await result) as { url: string }
  return { url, pid: child.pid ?? 0, stop: () => void child.kill() }
}
