import { median, type Figures } from './measure.ts'
import type { OperationName, Subject } from './operations.ts'
import { figuresOf } from './processes.ts'

/** Where the API and its database are. */
export type Place = { databaseUrl: string; url: string }

/** Times that each pair of measurements is made. */
export const REPEATS = 3

const row = (cells: (string | number)[]) => cells.map((cell, at) => String(cell).padStart(at === 0 ? 28 : 9)).join('')
const ms = (value: number) => value.toFixed(2)

export const printHead = () => console.log(row(['', 'conns', 'API/s', 'p50 ms', 'p99 ms', 'ref/s', 'p50 ms', 'p99 ms', 'API:ref']))

const middle = (all: readonly Figures[]): Figures => ({
  perSecond: median(all.map(({ perSecond }) => perSecond)),
  p50Ms: median(all.map(({ p50Ms }) => p50Ms)),
  p99Ms: median(all.map(({ p99Ms }) => p99Ms)),
})

type Compared = { label: string; operation: OperationName; connections: number; seconds: number; subjects: readonly Subject[] }

/**
 * Prints what the API does beside the reference, measured in turns so that whatever else the machine does hits both; medians. The ratio is
 * the median of the pairs' ratios. Of several subjects each measurement takes the next.
 */
export async function compare({ databaseUrl, url }: Place, { label, subjects, ...measured }: Compared): Promise<Figures> {
  const pairs: { api: Figures; reference: Figures }[] = []
  for (let at = 0; at < REPEATS; at++) {
    const subjectAt = (number: number) => subjects[number % subjects.length] as Subject // there is one at least
    const reference = await figuresOf({ role: 'reference', databaseUrl, ...measured, subject: subjectAt(2 * at) })
    const api = await figuresOf({ role: 'load', url, ...measured, subject: subjectAt(2 * at + 1) })
    pairs.push({ api, reference })
  }
  const api = middle(pairs.map((pair) => pair.api))
  const reference = middle(pairs.map((pair) => pair.reference))
  const cells = [api, reference].flatMap((side) => [Math.round(side.perSecond), ms(side.p50Ms), ms(side.p99Ms)])
  const ratio = median(pairs.map((pair) => pair.api.perSecond / pair.reference.perSecond))
  console.log(row([label, measured.connections, ...cells, ratio.toFixed(2)]))
  return api
}
