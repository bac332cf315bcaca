import { AdapterFailure } from '#sdk/adapter.ts'
import { createRandom, shuffled } from './random.ts'

type Choice = { seed: number; fewShot: number; numExamples: number | undefined }

/**
 * Which items are evaluated, in which order, and which are shown as worked examples.
 *
 * One seeded order of the whole set: examples come from its end and are never scored, items from
 * its start, so that the first items stay the same whatever the number of examples.
 */
export function chooseItems<Item>(items: readonly Item[], { seed, fewShot, numExamples }: Choice): { scored: Item[]; examples: Item[] } {
  if (numExamples !== undefined && numExamples < 1)
    throw new AdapterFailure('parameter_invalid', `Parameter num_examples is ${numExamples}; allowed: 1 or more.`)
  if (fewShot >= items.length)
    throw new AdapterFailure(
      'parameter_invalid',
      `Parameter few_shot is ${fewShot}; allowed: less than the ${items.length} rows of the data set.`,
    )

  const order = shuffled(items, createRandom(seed))
  const border = order.length - fewShot
  return { scored: order.slice(0, Math.min(border, numExamples ?? border)), examples: order.slice(border) }
}
