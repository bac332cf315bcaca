/** Member of a result's `additional_info` with what a run asked of its models. The sidecar counts it, and nobody else has a say in it. */
export const MODEL_USAGE = 'model_usage'

const LETTERS = lettersOf(MODEL_USAGE)

/** What an adapter says beside its metrics, without what it says in that name: in any case, with any signs between, in any form of Unicode. */
export const withoutModelUsage = (info: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(info).filter(([name]) => lettersOf(name) !== LETTERS))

function lettersOf(name: string): string {
  return (
    name
      // To put many marks of one letter into their order takes the square of their number.
      .replaceAll(/\p{M}/gu, '')
      .normalize('NFKC')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}]/gu, '')
  )
}
