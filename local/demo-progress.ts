import type { BenchmarkStatus } from '#sdk/models.ts'
import { harmless, shorten, widthOf } from './terminal.ts'
import type { Paint } from './terminal.ts'

const BAR = { least: 10, most: 40 }
/** Columns beside name and bar: margins, the percentage and the words. */
const REST = 36

const words = (status: BenchmarkStatus): string => {
  if (status.status === 'pending') return 'waiting'
  if (status.status === 'completed') return 'done'
  return status.status === 'running' ? harmless(status.phase ?? 'running').replaceAll('_', ' ') : status.status
}

const shareDone = ({ status, progress = 0 }: BenchmarkStatus) => (status === 'completed' ? 1 : Math.min(1, Math.max(0, progress)))

const percent = (share: number) => `${Math.floor(share * 100)} %`

const styleOf = ({ status }: BenchmarkStatus) => (status === 'failed' || status === 'cancelled' ? 'red' : 'green')

/** One line a benchmark with a bar, to be redrawn in place. No line is wider than the terminal. */
export function liveLines(benchmarks: readonly BenchmarkStatus[], columns: number, paint: Paint): string[] {
  const nameWidth = Math.min(Math.max(...benchmarks.map(({ id }) => widthOf(harmless(id)))), Math.max(8, columns - REST - BAR.least))
  const barWidth = Math.min(BAR.most, Math.max(BAR.least, columns - REST - nameWidth))
  return benchmarks.map((benchmark) => {
    const filled = Math.round(shareDone(benchmark) * barWidth)
    const bar = paint(styleOf(benchmark), '━'.repeat(filled)) + paint('dim', '─'.repeat(barWidth - filled))
    const left = columns - nameWidth - barWidth - 14
    const name = shorten(harmless(benchmark.id), nameWidth).padEnd(nameWidth)
    return `  ${name}  ${bar}  ${percent(shareDone(benchmark)).padStart(5)}  ${shorten(words(benchmark), left)}`
  })
}

/** Progress in plain lines comes in quarters: a log wants to say that it goes on, not to scroll. */
const step = (benchmark: BenchmarkStatus): string => {
  const quarters = Math.floor(shareDone(benchmark) * 4)
  const isUnderWay = benchmark.status === 'running' && quarters > 0
  return isUnderWay ? `${words(benchmark)}, ${quarters * 25} %` : words(benchmark)
}

/** One plain line for each benchmark that has come further since `before`, for output that is no terminal. */
export function changeLines(before: readonly BenchmarkStatus[], now: readonly BenchmarkStatus[]): string[] {
  return now.flatMap((benchmark, index) => {
    const previous = before[index]
    return previous && step(previous) === step(benchmark) ? [] : [`  ${harmless(benchmark.id)}: ${step(benchmark)}`]
  })
}
