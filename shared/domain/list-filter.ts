/** What a list parameter asks of a field: one of the values, or all of them; or the opposite. */
export type Filter = { mode: 'any' | 'all'; values: string[]; negated: boolean }

/**
 * The contract's grammar of a filter (section 7): `a,b` means both, else `a|b` means either; a comma wins over a bar.
 * A leading `!` is read as "not" only where `canNegate`. Undefined if nothing is asked.
 */
export function parseFilter(text: string, { canNegate }: { canNegate: boolean }): Filter | undefined {
  const negated = canNegate && text.startsWith('!')
  const rest = negated ? text.slice(1) : text
  const mode = rest.includes(',') || !rest.includes('|') ? 'all' : 'any'
  const values = rest
    .split(mode === 'all' ? ',' : '|')
    .map((value) => value.trim())
    .filter((value) => value !== '')
  return values.length > 0 ? { mode, values, negated } : undefined
}
