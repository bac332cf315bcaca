import type { AdapterResult } from '#sdk/adapter.ts'
import { endpointOf, resultOf, warnOfUnknown, type BenchmarkRun } from './benchmark-run.ts'
import { readDataSet, textsField, type DataSet, type Row } from './dataset.ts'
import { evaluateItems } from './evaluate-items.ts'
import { chooseItems } from './item-order.ts'
import { createModelClient, type Answer, type ModelClient } from './openai-client.ts'
import { GenerationParameters, readParameters } from './parameters.ts'
import { compilePattern } from './pattern.ts'
import { promptFor, promptText, renderTemplate, type Prompt, type Shot } from './prompt.ts'
import { goldPatternMatch, patternMatch } from './regex-scorer.ts'
import { choiceLetterMatch, contains, exactMatch, numeric, tokenF1, type Judgement, type Scorer } from './scorers.ts'

type Item = { id: string; question: string; gold: string[] }

const SCORERS = { exact_match: exactMatch, contains, numeric, choice_letter: choiceLetterMatch, token_f1: tokenF1 } as const

function scorerOf({ scorer, pattern }: GenerationParameters): Scorer {
  if (scorer !== 'regex') return SCORERS[scorer]
  return pattern === undefined ? goldPatternMatch : patternMatch(compilePattern(pattern, 'Parameter pattern'))
}

function itemFrom(data: DataSet, row: Row, parameters: GenerationParameters): Item {
  const { prompt_template, question_field, answer_field, scorer, pattern } = parameters
  const gold = textsField(data, row, answer_field)
  if (scorer === 'regex' && pattern === undefined) for (const answer of gold) compilePattern(answer, `${data.path}:${row.line}`)
  return { id: row.id, question: renderTemplate(prompt_template ?? `{{${question_field}}}`, data, row), gold }
}

const shotOf = ({ question, gold: [answer = ''] }: Item): Shot => ({ question, answer })

function promptMaker(parameters: GenerationParameters, examples: readonly Item[]): (item: Item) => Prompt {
  const shots = examples.map(shotOf)
  return ({ question }) => promptFor(parameters.api, { system: parameters.system_prompt, shots, question })
}

const sampleOf = ({ text, latencyMs, tokens, firstTokenMs, finishReason }: Answer, { score, extracted }: Judgement) => ({
  output: text,
  ...(extracted !== undefined && extracted !== text && { extracted }),
  score,
  latency_ms: latencyMs,
  ...(firstTokenMs !== undefined && { ttft_ms: firstTokenMs }),
  ...(finishReason !== undefined && { finish_reason: finishReason }),
  tokens,
})

const count = <Value>(values: readonly Value[], claim: (value: Value) => boolean) => values.filter(claim).length

async function evaluate(run: BenchmarkRun, client: ModelClient, parameters: GenerationParameters, data: DataSet): Promise<AdapterResult> {
  const { spec, host } = run
  const { api, seed, few_shot, max_tokens, temperature, stream, concurrency, max_error_rate } = parameters
  const stop = parameters.stop ?? (api === 'completions' ? ['\n\n'] : undefined)
  const scorer = scorerOf(parameters)
  const items = data.rows.map((row) => itemFrom(data, row, parameters))
  const { scored, examples } = chooseItems(items, { seed, fewShot: few_shot, numExamples: spec.num_examples })
  const prompt = promptMaker(parameters, examples)

  host.phase('running_evaluation')
  const outcome = await evaluateItems(host, {
    items: scored,
    plan: (item) => ({ id: item.id, input: promptText(prompt(item)), gold: item.gold }),
    async evaluate(item, signal) {
      const options = { maxTokens: max_tokens, temperature, stop, stream }
      const answer = await client.generate(prompt(item), options, { signal, key: item.id })
      const judgement = scorer(answer.text, item.gold)
      return { scores: { score: judgement.score }, sample: sampleOf(answer, judgement) }
    },
    concurrency,
    maxErrorRate: max_error_rate,
    url: client.urlOf(api),
  })

  host.phase('post_processing')
  const samples = outcome.evaluated.map(({ sample }) => sample)
  return {
    ...resultOf(outcome, ['score']),
    additional_info: {
      scorer: parameters.scorer,
      dataset: data.path,
      dataset_rows: data.rows.length,
      few_shot,
      seed,
      /** Answers that ended because `max_tokens` was reached: a high share means that it is too small. */
      truncated_answers: count(samples, ({ finish_reason }) => finish_reason === 'length'),
      empty_answers: count(samples, ({ output }) => output?.trim() === ''),
    },
  }
}

/** Asks for text and scores it. Metric `score`: the mean of the scorer named in `additional_info.scorer`, 0 to 1. */
export async function runGeneration(run: BenchmarkRun): Promise<AdapterResult> {
  const { parameters, unknown } = readParameters(GenerationParameters, run.defaults, run.spec.parameters)
  warnOfUnknown(run.host, unknown)
  run.host.phase('loading_data')
  const data = await readDataSet(parameters.dataset, run.places)
  const client = createModelClient(await endpointOf(run, parameters))
  try {
    return await evaluate(run, client, parameters, data)
  } finally {
    client.close()
  }
}
