import { isHopeless, RequestError } from './request-error.ts'

/** What went wrong so far. */
export type ErrorTally = {
  planned: number
  scored: number
  failed: number
  /** Errors that every further request would meet too. */
  hopeless: number
  /** Number and first example of each kind of cause. */
  causes: Map<string, { count: number; example: string }>
}

export const emptyTally = (planned: number): ErrorTally => ({ planned, scored: 0, failed: 0, hopeless: 0, causes: new Map() })

/** Adds one error. `url` is the endpoint as it may be shown. */
export function addError(tally: ErrorTally, error: Error, url: string): void {
  const ofModel = error instanceof RequestError
  const kind = ofModel ? `${error.kind}/${error.status ?? ''}` : error.name
  const known = tally.causes.get(kind) ?? { count: 0, example: ofModel ? `${url} ${error.message}` : error.message }
  tally.causes.set(kind, { ...known, count: known.count + 1 })
  tally.failed++
  if (ofModel && isHopeless(error)) tally.hopeless++
}

/** "1 item", "2 items". */
export const itemsOf = (count: number): string => (count === 1 ? '1 item' : `${count} items`)

/** "2 of 20 items have no score: http://… answered 500 (2 times)", the most common cause first. */
export const describeErrors = (tally: ErrorTally): string =>
  `${tally.failed} of ${itemsOf(tally.planned)} ${tally.failed === 1 ? 'has' : 'have'} no score: ${causesOf(tally)}`

/** The same of a load test, whose requests have no scores. */
export const describeFailures = (tally: ErrorTally): string =>
  `${tally.failed} of ${tally.planned === 1 ? '1 request' : `${tally.planned} requests`} failed: ${causesOf(tally)}`

function causesOf({ causes }: ErrorTally): string {
  const common = [...causes.values()].sort((left, right) => right.count - left.count).slice(0, 3)
  return common.map(({ count, example }) => `${example} (${count === 1 ? 'once' : `${count} times`})`).join('; ')
}

/** The share of errors is above what is allowed, whatever the rest brings. */
export const isTooMany = ({ planned, failed }: ErrorTally, maxErrorRate: number) => planned > 0 && failed / planned > maxErrorRate

/** Nothing has worked, and nothing will: the first requests all met an error that does not pass. */
export const isHopelessRun = ({ planned, scored, failed, hopeless }: ErrorTally, concurrency: number) =>
  scored === 0 && hopeless === failed && failed >= Math.min(planned, Math.max(5, concurrency))
