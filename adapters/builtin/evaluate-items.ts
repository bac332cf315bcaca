import { join } from 'node:path'
import { AdapterFailure, type AdapterHost } from '#sdk/adapter.ts'
import { addError, describeErrors, emptyTally, isHopelessRun, isTooMany, itemsOf, type ErrorTally } from './error-tally.ts'
import { SlowPattern } from './pattern.ts'
import { RequestError } from './request-error.ts'
import { createSampleWriter, type SampleRow, type SampleWriter } from './samples.ts'

/** What an item says about itself before it is evaluated; it stands in its sample even if it fails. */
export type Planned = Pick<SampleRow, 'id' | 'input' | 'gold'>

/** What evaluating one item brought. `scores` are by metric, 0 to 1. */
export type Evaluated = { scores: Record<string, number>; sample: Partial<SampleRow> }

type Evaluation<Item> = {
  items: readonly Item[]
  plan: (item: Item) => Planned
  evaluate: (item: Item, signal: AbortSignal) => Promise<Evaluated>
  concurrency: number
  maxErrorRate: number
  /** Endpoint as it may be shown. */
  url: string
}

export type Outcome = { planned: number; failed: number; evaluated: Evaluated[] }

/** True for an item that has no score; any other error is not the item's and ends the run. */
const isItemError = (error: unknown): error is RequestError | SlowPattern => error instanceof RequestError || error instanceof SlowPattern

/** Throws once the outcome of the run is certain, so that no further request is made for nothing. */
function checkErrors(tally: ErrorTally, { maxErrorRate, concurrency }: { maxErrorRate: number; concurrency: number }): void {
  const done = tally.scored + tally.failed
  const stopped = done < tally.planned ? `Stopped after ${itemsOf(done)}. ` : ''
  if (isHopelessRun(tally, concurrency)) throw new AdapterFailure('model_unusable', `${stopped}${describeErrors(tally)}.`)
  if (isTooMany(tally, maxErrorRate))
    throw new AdapterFailure('too_many_errors', `${stopped}${describeErrors(tally)}. More than max_error_rate ${maxErrorRate} allows.`)
}

/** Runs `work` for 0 to `count` - 1, `concurrency` at a time. The first error stops the rest and is thrown. */
export async function inParallel(count: number, concurrency: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const state: { error?: unknown; stopped: boolean } = { stopped: false }
  const worker = async () => {
    while (next < count && !state.stopped) {
      const index = next++
      try {
        await work(index)
      } catch (error) {
        if (!state.stopped) state.error = error
        state.stopped = true
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker))
  if (state.stopped) throw state.error
}

type Progress = { host: AdapterHost; tally: ErrorTally; writer: SampleWriter; evaluated: Evaluated[] }

async function evaluateAll<Item>(evaluation: Evaluation<Item>, { host, tally, writer, evaluated }: Progress): Promise<void> {
  const { items, plan, evaluate, concurrency, maxErrorRate, url } = evaluation
  const stop = new AbortController()
  const signal = AbortSignal.any([host.signal, stop.signal])

  const evaluateOne = async (index: number) => {
    const item = items[index] as Item // `inParallel` counts to items.length.
    const about = { index, ...plan(item) }
    try {
      const result = await evaluate(item, signal)
      tally.scored++
      evaluated.push(result)
      await writer.write({ ...about, ...result.sample })
    } catch (error) {
      if (!isItemError(error)) throw error
      addError(tally, error, url)
      await writer.write({ ...about, error: error.message })
      checkErrors(tally, { maxErrorRate, concurrency })
    }
    host.progress((tally.scored + tally.failed) / tally.planned)
  }

  await inParallel(items.length, concurrency, async (index) => {
    try {
      await evaluateOne(index)
    } catch (error) {
      stop.abort(error) // What is under way is given up: the run has failed.
      throw error
    }
  })
}

/**
 * Evaluates all items and keeps a sample of each in the artifact `samples`.
 *
 * An item without an answer is an error and has no score. Throws `AdapterFailure` when there are more
 * errors than allowed, or when nothing works; fewer errors become a warning.
 */
export async function evaluateItems<Item>(host: AdapterHost, evaluation: Evaluation<Item>): Promise<Outcome> {
  const path = join(host.workdir, 'samples.jsonl')
  const writer = createSampleWriter(path)
  const { items, concurrency, url } = evaluation
  host.log(`Evaluating ${itemsOf(items.length)}, ${concurrency} at once, at ${url}.`)
  const tally = emptyTally(items.length)
  const evaluated: Evaluated[] = []
  try {
    await evaluateAll(evaluation, { host, tally, writer, evaluated })
  } finally {
    await writer.close()
    await host.artifact('samples', path)
  }
  if (tally.failed > 0) host.warn('items_without_score', `${describeErrors(tally)}. They count as errors, not as wrong answers.`)
  return { planned: tally.planned, failed: tally.failed, evaluated }
}
