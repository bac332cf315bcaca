/** `work`, but calls while one is under way share its outcome: for what is open to anybody, and must not queue. */
export function shareUnderWay<Value>(work: () => Promise<Value>): () => Promise<Value> {
  let underWay: Promise<Value> | undefined
  return () =>
    (underWay ??= work().finally(() => {
      underWay = undefined
    }))
}
