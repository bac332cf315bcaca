import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import type { ToyItem } from './toy-answers.ts'

const SHIPPED = join(import.meta.dirname, '../adapters/builtin/data')

const Text = z.union([z.string(), z.number()]).transform(String)
const Question = z.object({ id: Text, question: z.string().min(1) })
const Generation = Question.extend({ answer: z.union([Text.transform((text) => [text]), z.array(Text).min(1)]) })
const MultipleChoice = Question.extend({ choices: z.array(z.string()).min(2), gold: z.int() })
const Row = z.union([MultipleChoice, Generation])

function itemOf(dataset: string, line: string): ToyItem {
  const row = Row.parse(JSON.parse(line))
  const { id, question } = row
  return 'choices' in row ? { dataset, id, question, choices: row.choices, gold: row.gold } : { dataset, id, question, answers: row.answer }
}

/** Every question of a folder of JSONL data sets. Default: those that come with EvalHub. */
export function loadToyItems(folder = SHIPPED): ToyItem[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.jsonl'))
  return files.sort().flatMap((file) => {
    const lines = readFileSync(join(folder, file), 'utf8').split('\n')
    return lines.filter((line) => line.trim() !== '').map((line) => itemOf(basename(file, '.jsonl'), line))
  })
}
