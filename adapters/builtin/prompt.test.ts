import { describe, expect, test } from 'vitest'
import { rowsFrom } from './dataset.ts'
import { promptFor, promptText, renderTemplate } from './prompt.ts'

const data = { path: 'd.jsonl', rows: rowsFrom('{"question":"What is {{id}}?","n":3,"list":[1]}', 'd.jsonl') }
const [row] = data.rows

describe('renderTemplate', () => {
  test('fills each field once, so that a value with braces cannot pull in another', () => {
    expect(renderTemplate('{{question}} / {{ n }} / {{choices}}', data, row!, { choices: 'A. x $&' })).toBe('What is {{id}}? / 3 / A. x $&')
  })

  test.each(['missing', 'list', 'toString', '__proto__'])('refuses {{%s}}, which the row does not have as text', (name) => {
    expect(() => renderTemplate(`{{${name}}}`, data, row!)).toThrow(`d.jsonl:1: prompt_template names {{${name}}}`)
  })
})

describe('promptFor', () => {
  const parts = { system: 'Be short.', shots: [{ question: 'Q1', answer: 'A1' }], question: 'Q2' }

  test('shows worked examples to the chat route as turns', () => {
    expect(promptFor('chat', parts)).toEqual({
      messages: [
        { role: 'system', content: 'Be short.' },
        { role: 'user', content: 'Q1' },
        { role: 'assistant', content: 'A1' },
        { role: 'user', content: 'Q2' },
      ],
    })
  })

  test('and to the completions route as one text, as lm-evaluation-harness lays it out', () => {
    expect(promptFor('completions', parts)).toEqual({ text: 'Be short.\n\nQ1 A1\n\nQ2' })
    expect(promptText(promptFor('chat', { ...parts, shots: [] }))).toBe('system: Be short.\n\nuser: Q2')
  })
})
