import type { ChoiceItem, ChoiceMethod, ChoiceSetting } from './choice-method.ts'
import { promptFor, promptText, renderTemplate } from './prompt.ts'
import { createRandom, seedFrom, shuffled } from './random.ts'
import { choiceLetter } from './scorers.ts'

const letterAt = (at: number) => String.fromCharCode('A'.charCodeAt(0) + at)

/** The choices of one item in the order in which they are shown; the same for the same seed and item. */
export function shownOrder({ row, choices }: ChoiceItem, seed: number): number[] {
  return shuffled([...choices.keys()], createRandom(seedFrom(`${seed}/${row.id}/${row.line}`)))
}

/** By answer letter: the lettered choices are shown in a seeded order, so that no letter is the right one more often. */
export function letterMethod({ client, parameters, data, examples }: ChoiceSetting): ChoiceMethod {
  const { api, seed, system_prompt, max_tokens, temperature, stream, question_field } = parameters
  const template =
    parameters.letter_prompt_template ??
    `{{${question_field}}}\n\n{{choices}}\n\nAnswer with the letter of the right choice and nothing else.`

  const shown = (item: ChoiceItem) => {
    const order = shownOrder(item, seed)
    const choices = order.map((at, place) => `${letterAt(place)}. ${item.choices[at]}`).join('\n')
    return { order, question: renderTemplate(template, data, item.row, { choices }), answer: letterAt(order.indexOf(item.gold)) }
  }
  const shots = examples.map(shown)
  const prompt = (item: ChoiceItem) => promptFor(api, { system: system_prompt, shots, question: shown(item).question })

  return {
    id: 'letter',
    api,
    metrics: ['acc'],
    plan: (item) => ({ id: item.row.id, input: promptText(prompt(item)), gold: shown(item).answer }),
    async evaluate(item, signal) {
      const stop = api === 'completions' ? ['\n\n'] : undefined
      const answer = await client.generate(prompt(item), { maxTokens: max_tokens, temperature, stop, stream }, { signal, key: item.row.id })
      const letter = choiceLetter(answer.text)
      const score = Number(letter === shown(item).answer)
      const extracted = letter === undefined ? {} : { extracted: letter }
      return {
        scores: { acc: score },
        sample: { output: answer.text, ...extracted, score, latency_ms: answer.latencyMs, tokens: answer.tokens },
      }
    },
  }
}
