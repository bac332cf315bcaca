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

/** What the end of the program means that fetches a run's test data. Its last line says why. */
export function fetchOutcomeOf({ code, signal }: Exit, output: string): RunEnd {
  const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`
  return {
    failureClass: 'init_failed',
    message: withLastLines(`The test data could not be fetched: the program that fetches them ${how}. Check test_data_ref.`, output),
    ...(code !== null && { exitCode: code }),
  }
}
