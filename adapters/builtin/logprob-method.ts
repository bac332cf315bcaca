import { choiceScores, continuationLogprob, misalignment } from './choice-logprob.ts'
import type { ChoiceItem, ChoiceMethod, ChoiceSetting } from './choice-method.ts'
import type { Logprobs, Tokens } from './model-answer.ts'
import type { ModelClient } from './openai-client.ts'
import { renderTemplate, textPrompt } from './prompt.ts'
import { RequestError } from './request-error.ts'

const PROBE = 'One, two, three, four, five.'

/** What a probe found: how many tokens must be generated for log-probabilities of the prompt, or why there are none. */
export type Probe = { generated: 0 | 1 } | { why: string }

/** The generated token is the last of the list, unless the endpoint says how many tokens the prompt had. */
const promptTokensOf = ({ tokens }: Logprobs, usage: Tokens, generated: 0 | 1) =>
  usage.input !== undefined && usage.input <= tokens.length && usage.input >= tokens.length - 1 ? usage.input : tokens.length - generated

async function probeWith(client: ModelClient, generated: 0 | 1, signal: AbortSignal): Promise<Probe> {
  const { logprobs, tokens } = await client.promptLogprobs(PROBE, generated, { signal, key: 'probe' })
  if (!logprobs) return { why: 'it answers without log-probabilities of the prompt' }
  const promptTokens = promptTokensOf(logprobs, tokens, generated)
  const shift = misalignment(logprobs, promptTokens)
  if (shift) return { why: shift }
  const last = continuationLogprob({ logprobs, promptTokens, context: PROBE.slice(0, -6), continuation: PROBE.slice(-6) })
  return typeof last === 'number' ? { generated } : last
}

/**
 * Whether the endpoint offers log-probabilities of a prompt, asked by one or two tiny requests.
 *
 * An endpoint that is busy or gone after all repetitions is no answer to the question: throws.
 */
export async function probeLogprobs(client: ModelClient, signal: AbortSignal): Promise<Probe> {
  let found: Probe = { why: 'it was not asked' }
  for (const generated of [0, 1] as const) {
    try {
      found = await probeWith(client, generated, signal)
    } catch (error) {
      const answered = error instanceof RequestError && (error.kind === 'rejected' || error.kind === 'malformed')
      if (!answered || error.status === 401 || error.status === 403) throw error
      found = { why: `${client.urlOf('completions')} ${error.message}` }
    }
    if ('generated' in found) return found
  }
  return found
}

/** By log-probabilities: each choice is put behind the question, and the likeliest one is the answer. */
export function logprobMethod({ client, parameters, data, examples }: ChoiceSetting, generated: 0 | 1): ChoiceMethod {
  const question = ({ row }: ChoiceItem) =>
    renderTemplate(parameters.prompt_template ?? `Question: {{${parameters.question_field}}}\nAnswer:`, data, row)
  const shots = examples.map((item) => ({ question: question(item), answer: item.choices[item.gold] ?? '' }))
  const context = (item: ChoiceItem) => textPrompt({ system: parameters.system_prompt, shots, question: question(item) })

  async function sumOf(item: ChoiceItem, choice: string, at: number, signal: AbortSignal): Promise<number> {
    const parts = { context: context(item), continuation: ` ${choice}` }
    const answer = await client.promptLogprobs(parts.context + parts.continuation, generated, { signal, key: `${item.row.id}/${at}` })
    if (!answer.logprobs) throw new RequestError('malformed', 'sent no log-probabilities of the prompt')
    const promptTokens = promptTokensOf(answer.logprobs, answer.tokens, generated)
    const sum = continuationLogprob({ logprobs: answer.logprobs, promptTokens, ...parts })
    if (typeof sum !== 'number') throw new RequestError('malformed', `sent an answer that cannot be scored: ${sum.why}`)
    return sum
  }

  return {
    id: 'logprobs',
    api: 'completions',
    metrics: ['acc', 'acc_norm'],
    plan: (item) => ({ id: item.row.id, input: context(item), gold: item.gold }),
    async evaluate(item, signal) {
      const started = performance.now()
      const sums: number[] = []
      for (const [at, choice] of item.choices.entries()) sums.push(await sumOf(item, choice, at, signal))
      const { chosen, scores } = choiceScores(sums, item.choices, item.gold)
      const { acc: score, acc_norm } = scores
      const sample = {
        output: item.choices[chosen] ?? '',
        chosen,
        score,
        acc_norm,
        logprobs: sums,
        latency_ms: performance.now() - started,
      }
      return { scores, sample }
    },
  }
}
