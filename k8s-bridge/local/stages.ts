import { startProcess, type Exit, type GroupProcess, type ProcessOptions } from './process.ts'

/** Two commands as one process: `isFirst` until the second is started, or cannot be. */
export type Stages = GroupProcess & { isFirst: () => boolean }

/**
 * Starts a command, and another one after it has ended with 0 and `between` is done. Whoever ends it ends both. Throws if the first cannot be started; the
 * second's exit code is 127 then, as a shell has it.
 */
export async function startStages(first: ProcessOptions, between: () => Promise<void>, second: ProcessOptions): Promise<Stages> {
  let current = await startProcess(first)
  const { pid } = current
  let graceMs: number | undefined
  let isFirst = true
  const goOn = async (exit: Exit): Promise<Exit> => {
    if (exit.code !== 0) return exit
    await between()
    if (graceMs !== undefined) return { code: null, signal: 'SIGTERM' }
    isFirst = false
    const next = await startProcess(second)
    current = next
    if (graceMs !== undefined) next.end(graceMs)
    return next.ended
  }
  const ended = current.ended.then(goOn).catch((error: unknown): Exit => {
    first.onError(error)
    return { code: 127, signal: null }
  })
  return {
    pid,
    ended,
    isFirst: () => isFirst,
    end(ms) {
      graceMs ??= ms
      current.end(ms)
    },
  }
}
