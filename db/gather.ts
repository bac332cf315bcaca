import { isUnavailable } from './unavailable.ts'

type Waiting<Row, Answer> = { row: Row; resolve: (answer: Answer) => void; reject: (error: unknown) => void }

/** Statements of one kind at once: while the database works on one, the next is made, and answers of the one before are sent. */
const STATEMENTS_MAX = 2

type Options<Row> = {
  /** Rows of a statement at most. */
  maxRows?: number
  /** How much a row is, and how much the rows of a statement come to at most; one alone may be more. */
  weight?: { of: (row: Row) => number; max: number }
  /** Not together with `weight`. What a row is about: rows about the same thing are written in the order in which they came. */
  keyOf?: (row: Row) => string
}

/**
 * Makes concurrent calls of one kind one statement: while two statements are under way the rows that come in wait together and go as the next.
 *
 * `write` takes rows and gives one answer a row, in their order, after its commit. A lone row waits for nothing. Without `keyOf`, rows that
 * wait for their answers at the same time have no order; one that comes after another's answer is written after it. If a
 * statement of several rows is refused, each row is written again by itself, so that a bad row hurts only itself. Of a database that
 * is away nothing is asked again: what it was asked to do may have been done.
 */
export function gather<Row, Answer>(
  write: (rows: readonly Row[]) => Promise<readonly Answer[]>,
  { maxRows = 256, weight, keyOf }: Options<Row> = {},
): (row: Row) => Promise<Answer> {
  let waiting: Waiting<Row, Answer>[] = []
  const busyKeys = new Set<string>()
  let underWay = 0

  /** The next rows; those about something that is being written go on waiting. */
  function take(): Waiting<Row, Answer>[] {
    if (!keyOf) return waiting.splice(0, fitting(waiting))
    const [free, rest]: [Waiting<Row, Answer>[], Waiting<Row, Answer>[]] = [[], []]
    for (const one of waiting) (free.length < maxRows && !busyKeys.has(keyOf(one.row)) ? free : rest).push(one)
    waiting = rest
    return free
  }

  /** How many of the first of them make a statement. */
  function fitting(rows: readonly Waiting<Row, Answer>[]): number {
    if (!weight) return maxRows
    let sum = 0
    const end = rows.findIndex(({ row }, at) => (sum += weight.of(row)) > weight.max && at > 0)
    return end < 0 ? maxRows : Math.min(end, maxRows)
  }

  async function settle(batch: readonly Waiting<Row, Answer>[]): Promise<void> {
    try {
      const answers = await write(batch.map(({ row }) => row))
      batch.forEach(({ resolve, reject }, at) => {
        // A statement gives one answer a row; one without is a bug that its caller must see.
        if (at < answers.length) resolve(answers[at] as Answer)
        else reject(new Error(`${batch.length} rows were written and ${answers.length} answers came back`))
      })
    } catch (error) {
      if (batch.length === 1 || isUnavailable(error)) for (const { reject } of batch) reject(error)
      else for (const one of batch) await settle([one])
    }
  }

  async function drain(): Promise<void> {
    if (underWay === STATEMENTS_MAX) return
    underWay++
    for (let batch = take(); batch.length > 0; batch = take()) {
      const keys = keyOf ? batch.map(({ row }) => keyOf(row)) : []
      for (const key of keys) busyKeys.add(key)
      await settle(batch)
      for (const key of keys) busyKeys.delete(key)
    }
    underWay--
  }

  return (row) =>
    new Promise((resolve, reject) => {
      waiting.push({ row, resolve, reject })
      void drain()
    })
}
