import { Session } from 'node:inspector/promises'

/**
 * Counts what JavaScript does, exactly and whatever the machine is busy with: how often the engine entered each block of each function, by its own
 * coverage. A loop counts once a round, a callback once a call; what the engine does natively within one call (to sort, to search) counts once.
 *
 * What was compiled before this file was loaded is not seen: import it before everything else.
 */
const session = new Session()
session.connect()
await session.post('Profiler.enable')
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })

/** The blocks entered while `work` was done. */
export async function stepsOf<Value>(work: () => Promise<Value>): Promise<{ steps: number; value: Value }> {
  await session.post('Profiler.takePreciseCoverage')
  const value = await work()
  const { result } = await session.post('Profiler.takePreciseCoverage')
  let steps = 0
  for (const { functions } of result) for (const { ranges } of functions) for (const { count } of ranges) steps += count
  return { steps, value }
}
