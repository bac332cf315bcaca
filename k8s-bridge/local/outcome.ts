import type { RunEnd } from '../runtime.ts'
import type { Exit } from './process.ts'

const linesMax = 20
const textMax = 4096

/** Terminal sequences, and control characters other than tab and newline. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNPRINTABLE = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** The end of an adapter's output as a message can show it: 20 lines and 4 KiB at most, without what moves a terminal. */
export function lastLines(output: string): string {
  const lines = output.replaceAll('\r\n', '\n').replaceAll('\r', '\n').replaceAll(UNPRINTABLE, '').trimEnd().split('\n')
  return lines.slice(-linesMax).join('\n').slice(-textMax)
}

/** What the end of an adapter's process means if no report came; `output` is the end of what it wrote. */
export function outcomeOf({ code, signal }: Exit, output: string, benchmarkId: string): RunEnd {
  const lines = lastLines(output)
  const words = lines ? ` Its last lines:\n${lines}` : ' It wrote nothing.'
  const how = signal ? `was ended by ${signal}` : code === 0 ? 'ended without reporting results' : `ended with exit code ${code}`
  const rest = code === 0 ? '' : ' before it reported results'
  return {
    failureClass: 'adapter_exit',
    message: `The adapter of benchmark ${benchmarkId} ${how}${rest}.${words}`,
    ...(code !== null && { exitCode: code }),
  }
}
