import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '#sdk/client.ts'
import type { Client } from '#sdk/client.ts'
import { ApiError } from '#sdk/errors.ts'
import type { BenchmarkStatus, Collection, EvaluationJob, EvaluationJobRequest } from '#sdk/models.ts'
import type { DemoConfig, DemoModel } from './demo-config.ts'
import { changeLines, liveLines } from './demo-progress.ts'
import { nextLines, reportLines } from './demo-report.ts'
import { keepModelKey } from './model-key.ts'
import { removePostgres } from './postgres-home.ts'
import { harmless, painter } from './terminal.ts'
import type { Screen } from './terminal.ts'
import { startToyModel } from './toy-model.ts'

export type Demo = {
  /** Starts a hub on a free port. `onLost` is called if it breaks down later. */
  startHub: (options: {
    dataDir: string
    allowPaths: string[]
    onLost: (why: Error) => void
  }) => Promise<{ url: string; stop: () => Promise<void> }>
  screen: Screen
  columns: () => number
  rows: () => number
  /** Lines can be redrawn in place. */
  live: boolean
  color: boolean
  /** Aborted when the demo is to end early. */
  signal: AbortSignal
}

export type DemoOutcome = 'done' | 'failed' | 'stopped'

const LOOK_EVERY_MS = 150
const REACH_MODEL_MS = 5000

type Target = { model: EvaluationJobRequest['model']; label: string; secretRef?: string }

async function toyTarget(cleanUp: AsyncDisposableStack): Promise<Target> {
  const toy = await startToyModel()
  cleanUp.defer(toy.stop)
  return { model: { url: toy.url, name: toy.name }, label: `a toy, ${toy.name}, in place of a real model` }
}

/** Fails in a moment, and in words, where the run would fail after all its retries. Any answer of the endpoint will do. */
async function reachModel({ url }: DemoModel, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.timeout(REACH_MODEL_MS)
  try {
    const response = await fetch(`${url}/models`, { signal: AbortSignal.any([signal, limit]) })
    await response.body?.cancel()
  } catch (error) {
    signal.throwIfAborted()
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const why = limit.aborted
      ? `no answer within ${REACH_MODEL_MS / 1000} s`
      : cause instanceof Error && cause.message
        ? cause.message
        : 'no connection'
    throw new Error(`No model can be reached at ${url}: ${why}. Is its server running, and is --model-url right?`, { cause: error })
  }
}

async function realTarget(model: DemoModel, cleanUp: AsyncDisposableStack, signal: AbortSignal): Promise<Target> {
  await reachModel(model, signal)
  const { url, name, apiKey } = model
  const label = `${name} at ${url}`
  if (apiKey === undefined) return { model: { url, name }, label }
  const { secretRef, remove } = await keepModelKey(apiKey)
  cleanUp.defer(remove)
  return { model: { url, name, auth: { secret_ref: secretRef } }, label, secretRef }
}

/** The signal is aborted, with the reason, when `demo.signal` is and when the hub breaks down. */
async function startTemporaryHub(
  demo: Demo,
  { secretRef }: Target,
  cleanUp: AsyncDisposableStack,
): Promise<{ client: Client; signal: AbortSignal }> {
  const folder = await mkdtemp(join(tmpdir(), 'evalhub-demo-'))
  const dataDir = join(folder, 'data')
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }))
  cleanUp.defer(() => removePostgres(dataDir)) // which may lie elsewhere
  const lost = new AbortController()
  const allowPaths = secretRef === undefined ? [] : [secretRef]
  const hub = await demo.startHub({ dataDir, allowPaths, onLost: (why) => lost.abort(why) })
  cleanUp.defer(hub.stop)
  return { client: createClient({ baseUrl: hub.url }), signal: AbortSignal.any([demo.signal, lost.signal]) }
}

async function findCollection({ collections }: Client, id: string, signal: AbortSignal): Promise<Collection> {
  try {
    return await collections.get(id, { signal })
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error
    const ids: string[] = []
    for await (const { resource } of collections.list({ signal })) ids.push(resource.id)
    throw new Error(`There is no collection ${id}. There are: ${ids.sort().join(', ')}`, { cause: error })
  }
}

/** The number of items is a parameter of each benchmark; a collection that sets its own keeps it. */
function requestFor({ model }: Target, collection: Collection, numExamples: number | undefined): EvaluationJobRequest {
  const parameters = { num_examples: numExamples }
  const benchmarks = collection.benchmarks.map(({ id, provider_id }) => ({ id, provider_id, parameters }))
  const ref = { id: collection.resource.id, ...(numExamples === undefined ? {} : { benchmarks }) }
  return { name: 'demo', model, collection: ref }
}

/** Follows the job to its end: redrawn bars on a terminal, else a line for each change. */
async function follow({ evaluations }: Client, job: EvaluationJob, demo: Demo, signal: AbortSignal): Promise<EvaluationJob> {
  const { screen, columns, rows, live, color } = demo
  let before: readonly BenchmarkStatus[] = []
  const onUpdate = ({ status: { benchmarks } }: EvaluationJob) => {
    // A block that is higher than the terminal cannot be redrawn.
    if (live && benchmarks.length < rows()) screen.redraw(liveLines(benchmarks, columns(), painter(color)))
    else changeLines(before, benchmarks).forEach((line) => screen.say(line))
    before = benchmarks
  }
  return evaluations.wait(job.resource.id, { intervalMs: LOOK_EVERY_MS, onUpdate, signal })
}

async function evaluate(config: DemoConfig, demo: Demo, cleanUp: AsyncDisposableStack): Promise<DemoOutcome> {
  const { screen, columns, color } = demo
  const paint = painter(color)
  const target = config.model ? await realTarget(config.model, cleanUp, demo.signal) : await toyTarget(cleanUp)
  screen.say('', `  ${paint('bold', 'EvalHub demo')}`, `  Model       ${harmless(target.label)}`)

  const { client, signal } = await startTemporaryHub(demo, target, cleanUp)
  const collection = await findCollection(client, config.collection, signal)
  screen.say(`  Collection  ${harmless(collection.resource.id)}: ${harmless(collection.name)}`, '')

  const job = await client.evaluations.submit(requestFor(target, collection, config.numExamples), { signal })
  const ended = await follow(client, job, demo, signal)
  screen.say(...reportLines(ended, collection, columns(), paint))
  if (ended.status.state !== 'completed') return 'failed'
  screen.say(...nextLines(config.model, collection.resource.id, paint), '')
  return 'done'
}

/**
 * Evaluates a model on a hub of its own and shows how it goes. Whatever happens, everything that it started and every
 * folder that it made is gone when the promise settles. A failure is told on the screen in words.
 */
export async function runDemo(config: DemoConfig, demo: Demo): Promise<DemoOutcome> {
  const { screen, color, signal } = demo
  const fail = (error: unknown): DemoOutcome => {
    const said = error instanceof Error ? error.message : String(error)
    screen.say('', `  ${painter(color)('red', 'The demo failed:')} ${harmless(said)}`)
    return 'failed'
  }
  const stop = (): DemoOutcome => {
    screen.say('', '  Stopping …')
    return 'stopped'
  }
  const cleanUp = new AsyncDisposableStack()
  const outcome = await evaluate(config, demo, cleanUp).catch((error: unknown) => (signal.aborted ? stop() : fail(error)))
  return cleanUp.disposeAsync().then(() => outcome, fail)
}
