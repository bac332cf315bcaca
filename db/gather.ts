import { isUnavailable } from './unavailable.ts'

type Waiting<Row, Answer> = { row: Row; resolve: (answer: Answer) => void; reject: (error: unknown) => void }

/** Statements of one kind at once. */
const STATEMENTS_MAX = 2

type Options<Row> = {
  /** Rows of a statement at most. */
  maxRows?: number
  /** A statement that takes longer may wait for somebody's lock: another one goes beside it. 25 unless told. */
  slowMs?: number
  /** True: a row that is the first does not wait for the end of its turn. */
  isEager?: boolean
  /** The footprint of a row, and of the rows of a statement together at most; one alone may have more. */
  footprint?: { of: (row: Row) => number; max: number }
  /** What a row is about: rows about the same thing are written in the order in which they came. */
  keyOf?: (row: Row) => string
}

/**
 * Makes concurrent calls of one kind one statement: those of one turn of the event loop go together, and while a statement is under way those that
 * come wait together and go as the next. What a statement costs, the commit above all, is paid for all its rows, so one at a time is the cheapest;
 * beside one that is slow a second one goes.
 *
 * `write` takes rows and gives one answer a row, in their order, after its commit. A lone row waits for no timer. Without `keyOf`, rows that
 * wait for their answers at the same time have no order; one that comes after another's answer is written after it. If a
 * statement of several rows is refused, each row is written again by itself, so that a bad row hurts only itself. Of a database that
 * is away nothing is asked again: what it was asked to do may have been done.
 */
export function gather<Row, Answer>(
  write: (rows: readonly Row[]) => Promise<readonly Answer[]>,
  { maxRows = 256, slowMs = 25, isEager = false, footprint, keyOf }: Options<Row> = {},
): (row: Row) => Promise<Answer> {
  let waiting: Waiting<Row, Answer>[] = []
  const busyKeys = new Set<string>()
  /** When each statement that is under way was sent, in milliseconds. */
  const underWay = new Set<{ sentMs: number }>()

  /** The next rows; those about something that is being written go on waiting. */
  function take(): Waiting<Row, Answer>[] {
    if (!keyOf) return waiting.splice(0, fitting(waiting))
    const free = waiting.filter(({ row }) => !busyKeys.has(keyOf(row)))
    const batch = new Set(free.slice(0, fitting(free)))
    waiting = waiting.filter((one) => !batch.has(one))
    return [...batch]
  }

  /** How many of the first of them make a statement. */
  function fitting(rows: readonly Waiting<Row, Answer>[]): number {
    if (!footprint) return maxRows
    let sum = 0
    const end = rows.findIndex(({ row }, at) => (sum += footprint.of(row)) > footprint.max && at > 0)
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

  const mayBegin = () => underWay.size < STATEMENTS_MAX && [...underWay].every(({ sentMs }) => performance.now() - sentMs > slowMs)

  let isLookingAgain = false
  function lookAgain(): void {
    if (isLookingAgain) return
    isLookingAgain = true
    setTimeout(() => {
      isLookingAgain = false
      void begin()
    }, slowMs)
  }

  async function begin(): Promise<void> {
    if (waiting.length === 0) return
    if (!mayBegin()) return lookAgain()
    const batch = take()
    if (batch.length === 0) return
    const statement = { sentMs: performance.now() }
    const keys = keyOf ? batch.map(({ row }) => keyOf(row)) : []
    underWay.add(statement)
    for (const key of keys) busyKeys.add(key)
    await settle(batch)
    for (const key of keys) busyKeys.delete(key)
    underWay.delete(statement)
    void begin()
  }

  let isTurnOver = true
  return (row) =>
    new Promise((resolve, reject) => {
      waiting.push({ row, resolve, reject })
      if (isEager) void begin()
      if (isEager || !isTurnOver) return
      isTurnOver = false
      setImmediate(() => {
        isTurnOver = true
        void begin()
      })
    })
}
