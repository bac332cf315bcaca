import { join } from 'node:path'
import type { z } from 'zod'
import type { GenerationParameters, MultipleChoiceParameters } from './parameters.ts'

/** Where the shipped data sets are. */
export const DATA_DIR = join(import.meta.dirname, 'data')

const dataSet = (name: string) => join(DATA_DIR, `${name}.jsonl`)

/** The shipped benchmarks: a kind, its data set, and parameters that a job may still change. */
export const SHIPPED = {
  arithmetic_problems: {
    kind: 'generation',
    defaults: { dataset: dataSet('arithmetic_problems'), scorer: 'numeric', max_tokens: 64 } satisfies z.input<typeof GenerationParameters>,
  },
  world_capitals: {
    kind: 'generation',
    defaults: {
      dataset: dataSet('world_capitals'),
      scorer: 'contains',
      prompt_template: '{{question}} Answer with the name of the city only.',
      max_tokens: 32,
    } satisfies z.input<typeof GenerationParameters>,
  },
  science_choice: {
    kind: 'multiple_choice',
    defaults: { dataset: dataSet('science_choice') } satisfies z.input<typeof MultipleChoiceParameters>,
  },
} as const
