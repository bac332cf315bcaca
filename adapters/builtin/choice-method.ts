import type { DataSet, Row } from './dataset.ts'
import type { Evaluated, Planned } from './evaluate-items.ts'
import type { Api } from './model-url.ts'
import type { ModelClient } from './openai-client.ts'
import type { MultipleChoiceParameters } from './parameters.ts'

export type ChoiceItem = { row: Row; choices: string[]; gold: number }

/** How a choice is got out of a model. */
export type ChoiceMethod = {
  id: 'logprobs' | 'letter'
  api: Api
  metrics: readonly string[]
  plan: (item: ChoiceItem) => Planned
  evaluate: (item: ChoiceItem, signal: AbortSignal) => Promise<Evaluated>
}

/** What both methods are made from. */
export type ChoiceSetting = { client: ModelClient; parameters: MultipleChoiceParameters; data: DataSet; examples: readonly ChoiceItem[] }
