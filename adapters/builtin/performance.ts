import { join } from 'node:path'
import { AdapterFailure, type AdapterResult } from '#sdk/adapter.ts'
import { endpointOf, warnOfUnknown, type BenchmarkRun } from './benchmark-run.ts'
import { badRow, readDataSet, textField } from './dataset.ts'
import { addError, describeFailures, emptyTally, isHopelessRun, type ErrorTally } from './error-tally.ts'
import { shuffled, createRandom } from './random.ts'
import { bestLevel, levelMetrics, type LevelRecord } from './load-measure.ts'
import { driveLevel, levelsOf, type Level, type LevelEnd } from './load-profile.ts'
import { createModelClient, type ModelClient } from './openai-client.ts'
import { PerformanceParameters, readParameters } from './parameters.ts'
import { promptFor, promptText } from './prompt.ts'
import { RequestError } from './request-error.ts'
import { createSampleWriter, type SampleWriter } from './samples.ts'

const DEFAULT_REQUESTS = 50
const MAX_REQUESTS = 1_000_000

const WORDS = [
  'river',
  'paper',
  'window',
  'seven',
  'garden',
  'letter',
  'quiet',
  'market',
  'yellow',
  'engine',
  'summer',
  'bridge',
  'silver',
  'forest',
]

/** A prompt that asks for a long answer. Each has words of its own, so that no cache of common prompts answers for the model. */
export function madeUpPrompt(words: number, seed: number, index: number): string {
  const random = createRandom(seed + index * 7919)
  const text = Array.from({ length: words }, () => WORDS[Math.floor(random() * WORDS.length)]).join(' ')
  return `Write a long story that uses these words: ${text}`
}

async function promptSource(run: BenchmarkRun, { dataset, question_field, seed, prompt_words }: PerformanceParameters) {
  if (dataset === undefined) return (index: number) => madeUpPrompt(prompt_words, seed, index)
  const data = await readDataSet(dataset, run.places)
  const questions = data.rows.map((row) => {
    const question = textField(row, question_field)
    if (question === undefined) throw badRow(data, row, `field ${question_field} must be text.`)
    return question
  })
  const ordered = shuffled(questions, createRandom(seed))
  return (index: number) => ordered[index % ordered.length] ?? ''
}

/** `num_examples` is the hub's word for how many; `requests` is ours. */
function endOf({ requests, duration_seconds }: PerformanceParameters, numExamples: number | undefined): LevelEnd {
  if (numExamples !== undefined && numExamples < 1)
    throw new AdapterFailure('parameter_invalid', `Parameter num_examples is ${numExamples}; allowed: 1 or more.`)
  const unlimited = duration_seconds === undefined ? DEFAULT_REQUESTS : MAX_REQUESTS
  return { requests: requests ?? numExamples ?? unlimited, durationMs: duration_seconds === undefined ? Infinity : duration_seconds * 1000 }
}

type Load = {
  run: BenchmarkRun
  client: ModelClient
  parameters: PerformanceParameters
  promptAt: (index: number) => string
  writer: SampleWriter
  /** Errors of all levels; `planned` grows with each request. */
  tally: ErrorTally
  report: (levelShare: number) => void
}

/** Sends request `index`. Undefined if it failed, which is counted and ends the run only when nothing works. */
async function request({ run, client, parameters, promptAt, tally, writer }: Load, index: number, scheduledAt: number) {
  const { api, max_tokens, temperature, concurrency } = parameters
  const prompt = promptFor(api, { system: undefined, shots: [], question: promptAt(index) })
  const about = { index, id: `request-${index}`, input: promptText(prompt) }
  tally.planned++
  const delayMs = performance.now() - scheduledAt
  try {
    const answer = await client.generate(
      prompt,
      { maxTokens: max_tokens, temperature, stream: true },
      { signal: run.host.signal, key: about.id },
    )
    tally.scored++
    const { tokens, firstTokenMs, lastTokenMs } = answer
    const late = (ms: number | undefined) => (ms === undefined ? undefined : ms + delayMs)
    const measured = { tokens, latencyMs: answer.latencyMs + delayMs, firstTokenMs: late(firstTokenMs), lastTokenMs: late(lastTokenMs) }
    await writer.write({ ...about, output: answer.text, latency_ms: measured.latencyMs, ttft_ms: measured.firstTokenMs, tokens })
    return measured
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    addError(tally, error, client.urlOf(api))
    await writer.write({ ...about, error: error.message })
    if (isHopelessRun({ ...tally, planned: Infinity }, concurrency))
      throw new AdapterFailure('model_unusable', `${describeFailures(tally)}.`)
    return undefined
  }
}

async function measureLevel(load: Load, level: Level, end: LevelEnd, firstIndex: number): Promise<LevelRecord> {
  const { signal } = load.run.host
  const record: LevelRecord = { concurrency: level.concurrency, rate: level.rate, planned: 0, failed: 0, elapsedMs: 0, measured: [] }
  const started = performance.now()
  await driveLevel(
    level,
    end,
    async (index, scheduledAt) => {
      record.planned++
      const measured = await request(load, firstIndex + index, scheduledAt)
      if (measured) record.measured.push(measured)
      else record.failed++
      load.report(Math.max(record.planned / end.requests, (performance.now() - started) / end.durationMs))
    },
    signal,
  )
  return { ...record, elapsedMs: performance.now() - started }
}

/** Requests that are sent before the measurement: connections and caches of the endpoint get warm. Their errors show later, if they last. */
async function warmUp({ run, client, parameters, promptAt }: Load): Promise<void> {
  for (let index = 0; index < parameters.warmup_requests; index++) {
    const prompt = promptFor(parameters.api, { system: undefined, shots: [], question: promptAt(-1 - index) })
    const options = { maxTokens: parameters.max_tokens, temperature: parameters.temperature, stream: true }
    await client.generate(prompt, options, { signal: run.host.signal, key: `warm-up-${index}` }).catch((error: unknown) => {
      if (!(error instanceof RequestError)) throw error
    })
  }
}

function resultFrom(records: readonly LevelRecord[], { profile }: PerformanceParameters): AdapterResult {
  const levels = records.map((record) => {
    const { concurrency, rate, planned, failed, elapsedMs, measured } = record
    const about = {
      concurrency,
      ...(rate !== undefined && { rate }),
      planned,
      failed,
      scored: measured.length,
      elapsed_s: elapsedMs / 1000,
    }
    return { about, ...levelMetrics(record) }
  })
  const best = bestLevel(levels)
  if (!best) throw new Error('a profile has at least one level')
  return {
    metrics: best.metrics,
    statistics: best.statistics,
    additional_info: { profile, ...best.about, levels: levels.map(({ about, metrics }) => ({ ...about, metrics })) },
  }
}

async function measure(run: BenchmarkRun, client: ModelClient, parameters: PerformanceParameters): Promise<AdapterResult> {
  const { host, spec } = run
  const end = endOf(parameters, spec.num_examples)
  const levels = levelsOf(parameters)
  const promptAt = await promptSource(run, parameters)
  const path = join(host.workdir, 'samples.jsonl')
  const writer = createSampleWriter(path)
  const records: LevelRecord[] = []
  const report = (share: number) => host.progress((records.length + Math.min(1, share)) / levels.length)
  const load: Load = { run, client, parameters, promptAt, writer, tally: emptyTally(0), report }

  host.phase('running_evaluation')
  try {
    await warmUp(load)
    for (const level of levels) {
      const firstIndex = records.reduce((sum, { planned }) => sum + planned, 0)
      records.push(await measureLevel(load, level, end, firstIndex))
    }
  } finally {
    await writer.close()
    await host.artifact('samples', path)
  }

  host.phase('post_processing')
  const { tally } = load
  const errors = tally.failed > 0 ? describeFailures(tally) : undefined
  if (errors && tally.failed / tally.planned > parameters.max_error_rate)
    throw new AdapterFailure('too_many_errors', `${errors}. More than max_error_rate ${parameters.max_error_rate} allows.`)
  if (errors) host.warn('requests_failed', `${errors}. They are in no figure.`)
  const result = resultFrom(records, parameters)
  if (result.metrics.output_tokens_per_s === undefined)
    host.warn('tokens_unknown', 'The endpoint does not say how many tokens it used: figures that need them are absent.')
  return result
}

/** Measures an endpoint under load, by streamed requests. Metrics are named in docs/builtin.md; of a sweep, those of its best level. */
export async function runPerformance(run: BenchmarkRun): Promise<AdapterResult> {
  const { parameters, unknown } = readParameters(PerformanceParameters, run.defaults, run.spec.parameters)
  warnOfUnknown(run.host, unknown)
  run.host.phase('loading_data')
  const maxConcurrency = Math.max(parameters.concurrency, ...(parameters.profile === 'sweep' ? parameters.levels : []))
  const client = createModelClient({ ...(await endpointOf(run, parameters)), maxConcurrency })
  try {
    return await measure(run, client, parameters)
  } finally {
    client.close()
  }
}
