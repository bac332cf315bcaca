import { withLastLines } from '../last-lines.ts'
import type { RunEnd } from '../runtime.ts'
import type { Exit } from './process.ts'

/** What the end of an adapter's process means if no report came; `output` is the end of what it wrote. */
export function outcomeOf({ code, signal }: Exit, output: string, benchmarkId: string): RunEnd {
  const how = signal ? `was ended by ${signal}` : code === 0 ? 'ended without reporting results' : `ended with exit code ${code}`
  const rest = code === 0 ? '' : ' before it reported results'
  return {
    failureClass: 'adapter_exit',
    message: withLastLines(`The adapter of benchmark ${benchmarkId} ${how}${rest}.`, output),
    ...(code !== null && { exitCode: code }),
  }
}
