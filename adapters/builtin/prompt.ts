import { badRow, textField, type DataSet, type Row } from './dataset.ts'

const PLACE = /\{\{\s*([\w.-]{1,100})\s*\}\}/g

/** Fills each `{{field}}` once: braces within a value stay as they are. Throws `badRow` for a field that the row lacks. */
export function renderTemplate(template: string, data: DataSet, row: Row, extra: Readonly<Record<string, string>> = {}): string {
  return template.replace(PLACE, (_, name: string) => {
    const value = Object.hasOwn(extra, name) ? extra[name] : textField(row, name)
    if (value === undefined) throw badRow(data, row, `prompt_template names {{${name}}}, and the row has no such text.`)
    return value
  })
}

export type ChatMessage = { role: 'system' | 'user' | 'assistant'; content: string }

/** What is sent to a model: messages for the chat route, one text for the completions route. */
export type Prompt = { messages: ChatMessage[] } | { text: string }

/** A worked example: what the model is asked, and the right answer. */
export type Shot = { question: string; answer: string }

type Parts = { system: string | undefined; shots: readonly Shot[]; question: string }

function chatPrompt({ system, shots, question }: Parts): Prompt {
  const examples = shots.flatMap((shot): ChatMessage[] => [
    { role: 'user', content: shot.question },
    { role: 'assistant', content: shot.answer },
  ])
  const start: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }]
  return { messages: [...start, ...examples, { role: 'user', content: question }] }
}

/** One text, laid out as lm-evaluation-harness does: a space before each answer, an empty line between examples. */
export function textPrompt({ system, shots, question }: Parts): string {
  const examples = shots.map((shot) => `${shot.question} ${shot.answer}`)
  return [...(system === undefined ? [] : [system]), ...examples, question].join('\n\n')
}

/** The prompt of one item in the form of the route that is used. */
export const promptFor = (api: 'chat' | 'completions', parts: Parts): Prompt =>
  api === 'chat' ? chatPrompt(parts) : { text: textPrompt(parts) }

/** As one text, for the record of a sample. */
export const promptText = (prompt: Prompt): string =>
  'text' in prompt ? prompt.text : prompt.messages.map(({ role, content }) => `${role}: ${content}`).join('\n\n')
