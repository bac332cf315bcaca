import { join } from 'node:path'
import type { z } from 'zod'
import type { GenerationParameters, MultipleChoiceParameters } from './parameters.ts'

const dataSet = (name: string) => join(import.meta.dirname, 'data', `${name}.jsonl`)

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
