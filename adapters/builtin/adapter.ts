import { AdapterFailure, type Adapter, type AdapterResult } from '#sdk/adapter.ts'
import type { BenchmarkRun } from './benchmark-run.ts'
import type { DataPlaces } from './dataset.ts'
import { runGeneration } from './generation.ts'
import { runMultipleChoice } from './multiple-choice.ts'
import { runPerformance } from './performance.ts'
import { SHIPPED } from './shipped.ts'
import { inShownDigits } from './shown-digits.ts'

const KINDS: Record<string, (run: BenchmarkRun) => Promise<AdapterResult>> = {
  generation: runGeneration,
  multiple_choice: runMultipleChoice,
  performance: runPerformance,
}

/** A benchmark id is a kind itself, or one of the shipped data sets evaluated by a kind. */
function findBenchmark(id: string) {
  const shipped = Object.entries(SHIPPED).find(([name]) => name === id)?.[1]
  const kind = shipped?.kind ?? id
  const run = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
  if (run) return { run, defaults: shipped?.defaults ?? {} }
  const allowed = [...Object.keys(KINDS), ...Object.keys(SHIPPED)].join(', ')
  throw new AdapterFailure('benchmark_unknown', `Provider builtin has no benchmark ${id.slice(0, 100)}; it has ${allowed}.`)
}

/** Evaluates any OpenAI-compatible endpoint without a framework: generation, multiple choice and performance. */
export const createBuiltinAdapter = (places: DataPlaces): Adapter => ({
  id: 'builtin',
  async run(spec, host) {
    const { run, defaults } = findBenchmark(spec.benchmark_id)
    return inShownDigits(await run({ spec, host, places, defaults }))
  },
})
