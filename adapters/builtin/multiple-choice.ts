import { AdapterFailure, type AdapterResult } from '#sdk/adapter.ts'
import { endpointOf, resultOf, warnOfUnknown, type BenchmarkRun } from './benchmark-run.ts'
import type { ChoiceItem, ChoiceMethod, ChoiceSetting } from './choice-method.ts'
import { badRow, readDataSet, textsField, type DataSet, type Row } from './dataset.ts'
import { evaluateItems } from './evaluate-items.ts'
import { chooseItems } from './item-order.ts'
import { letterMethod } from './letter-method.ts'
import { logprobMethod, probeLogprobs } from './logprob-method.ts'
import { createModelClient, type ModelClient } from './openai-client.ts'
import { MultipleChoiceParameters, readParameters } from './parameters.ts'
import { RequestError } from './request-error.ts'

const MAX_CHOICES = 26

function itemFrom(data: DataSet, row: Row, { choices_field, gold_field }: MultipleChoiceParameters): ChoiceItem {
  const choices = textsField(data, row, choices_field)
  const gold = Object.hasOwn(row.fields, gold_field) ? row.fields[gold_field] : undefined
  if (choices.length < 2 || choices.length > MAX_CHOICES)
    throw badRow(data, row, `field ${choices_field} must have 2 to ${MAX_CHOICES} choices.`)
  if (typeof gold !== 'number' || !Number.isInteger(gold) || gold < 0 || gold >= choices.length)
    throw badRow(data, row, `field ${gold_field} must be the position of the right choice, 0 to ${choices.length - 1}.`)
  return { row, choices, gold }
}

type Chosen = { method: ChoiceMethod; reason: string }

/** The method that the parameters ask for, or that the endpoint allows; with the reason, which is kept with the results. */
async function chooseMethod(setting: ChoiceSetting, signal: AbortSignal): Promise<Chosen> {
  const { client, parameters } = setting
  if (parameters.method === 'letter') return { method: letterMethod(setting), reason: 'asked for by parameter method' }
  const probe = await probeLogprobs(client, signal).catch((error: unknown) => {
    if (!(error instanceof RequestError)) throw error
    throw new AdapterFailure('model_unusable', `${client.urlOf('completions')} ${error.message}.`, { cause: error })
  })
  if ('generated' in probe)
    return { method: logprobMethod(setting, probe.generated), reason: 'the endpoint offers log-probabilities of the prompt' }
  if (parameters.method === 'auto')
    return { method: letterMethod(setting), reason: `the endpoint offers no log-probabilities of the prompt: ${probe.why}` }
  throw new AdapterFailure('logprobs_missing', `Parameter method is logprobs, and the endpoint offers none: ${probe.why}.`)
}

async function evaluate(
  run: BenchmarkRun,
  client: ModelClient,
  parameters: MultipleChoiceParameters,
  data: DataSet,
): Promise<AdapterResult> {
  const { spec, host } = run
  const { seed, few_shot, concurrency, max_error_rate } = parameters
  const items = data.rows.map((row) => itemFrom(data, row, parameters))
  const { scored, examples } = chooseItems(items, { seed, fewShot: few_shot, numExamples: spec.num_examples })
  const { method, reason } = await chooseMethod({ client, parameters, data, examples }, host.signal)
  host.log(`Method: ${method.id} (${reason}).`)
  for (const item of items) method.plan(item) // A row that lacks a field of the template is refused before the first request.

  host.phase('running_evaluation')
  const { plan, evaluate: evaluateItem } = method
  const outcome = await evaluateItems(host, {
    items: scored,
    plan,
    evaluate: evaluateItem,
    concurrency,
    maxErrorRate: max_error_rate,
    url: client.urlOf(method.api),
  })

  host.phase('post_processing')
  const { metrics, api, id } = method
  const unreadable = id === 'letter' && {
    answers_without_letter: outcome.evaluated.filter(({ sample }) => sample.extracted === undefined).length,
  }
  const about = { method: id, method_reason: reason, api, dataset: data.path, dataset_rows: data.rows.length, few_shot, seed }
  return { ...resultOf(outcome, metrics), additional_info: { ...about, ...unreadable } }
}

/** Asks for one of several choices. Metrics: `acc`, and `acc_norm` where log-probabilities are compared. */
export async function runMultipleChoice(run: BenchmarkRun): Promise<AdapterResult> {
  const { parameters, unknown } = readParameters(MultipleChoiceParameters, run.defaults, run.spec.parameters)
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
