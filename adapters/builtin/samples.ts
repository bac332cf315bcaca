import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { Tokens } from './model-answer.ts'

/** One line of the artifact `samples`. A sample has a score or an error, never both. */
export type SampleRow = {
  /** Place in the run's order of items, from 0; lines are in the order in which answers came. */
  index: number
  id: string
  input: string
  output?: string
  /** What was compared, where that is not the output itself. */
  extracted?: string
  gold?: unknown
  score?: number
  error?: string
  latency_ms?: number
  tokens?: Tokens
  [detail: string]: unknown
}

export type SampleWriter = { write: (row: SampleRow) => Promise<void>; close: () => Promise<void> }

/** Writes samples to a file as they come; no more than one buffer of them is held in memory. */
export function createSampleWriter(path: string): SampleWriter {
  const file = createWriteStream(path, { mode: 0o600 })
  let broken: Error | undefined
  file.on('error', (error) => (broken = error))
  return {
    async write(row) {
      if (broken) throw broken
      if (!file.write(`${JSON.stringify(row)}\n`)) await once(file, 'drain')
    },
    async close() {
      file.end()
      await finished(file)
    },
  }
}
