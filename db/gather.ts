type Waiting<Row, Answer> = { row: Row; resolve: (answer: Answer) => void; reject: (error: unknown) => void }

/**
 * Makes concurrent writes of one kind one statement: while a statement is under way the rows that come in wait together and go as the next.
 *
 * `write` takes rows and gives one answer a row, in their order, after its commit. A lone row waits for nothing. If a
 * statement of several rows fails, each row is written again by itself, so that a bad row hurts only itself.
 */
export function gather<Row, Answer>(
  write: (rows: readonly Row[]) => Promise<readonly Answer[]>,
  maxRows = 256,
): (row: Row) => Promise<Answer> {
  const waiting: Waiting<Row, Answer>[] = []
  let busy = false

  async function settle(batch: readonly Waiting<Row, Answer>[]): Promise<void> {
    try {
      const answers = await write(batch.map(({ row }) => row))
      batch.forEach(({ resolve, reject }, at) => {
        // A statement gives one answer a row; one without is a bug that its caller must see.
        if (at < answers.length) resolve(answers[at] as Answer)
        else reject(new Error(`${batch.length} rows were written and ${answers.length} answers came back`))
      })
    } catch (error) {
      if (batch.length === 1) batch[0]?.reject(error)
      else for (const one of batch) await settle([one])
    }
  }

  async function drain(): Promise<void> {
    if (busy) return
    busy = true
    while (waiting.length > 0) await settle(waiting.splice(0, maxRows))
    busy = false
  }

  return (row) =>
    new Promise((resolve, reject) => {
      waiting.push({ row, resolve, reject })
      void drain()
    })
}
