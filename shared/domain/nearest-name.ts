/** Names longer than this are compared with none: the time that it takes grows with the product of the lengths. */
const COMPARED_MAX = 64

/**
 * The one of `names` that `given` is most likely meant to be, by how few letters must be added, left out, changed or swapped with the next one;
 * one that begins with it, or that it begins with, is as near as one letter. Undefined if none is near: within a third of the longer one's letters.
 */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  if (given.length > COMPARED_MAX) return undefined
  const plain = letters(given)
  const near = names.flatMap((name) => {
    const distance = distanceOf(plain, letters(name))
    return distance <= Math.max(given.length, name.length) / 3 ? [{ name, distance }] : []
  })
  return near.toSorted((one, other) => one.distance - other.distance)[0]?.name
}

/** `maxTokens`, `max-tokens` and `max_tokens` are one name to whoever writes it from memory. */
const letters = (name: string) => name.toLowerCase().replaceAll(/[-_. ]/g, '')

function distanceOf(one: string, other: string): number {
  if (one === other) return 0
  if (Math.min(one.length, other.length) >= 3 && (one.startsWith(other) || other.startsWith(one))) return 1
  let [before, last] = [[] as number[], Array.from({ length: other.length + 1 }, (_, at) => at)]
  for (let row = 1; row <= one.length; row++) {
    const next = [row]
    for (let at = 1; at <= other.length; at++) {
      const change = one[row - 1] === other[at - 1] ? 0 : 1
      const isSwapped = row > 1 && at > 1 && one[row - 1] === other[at - 2] && one[row - 2] === other[at - 1]
      const least = Math.min(cell(last, at) + 1, cell(next, at - 1) + 1, cell(last, at - 1) + change)
      next.push(isSwapped ? Math.min(least, cell(before, at - 2) + 1) : least)
    }
    before = last
    last = next
  }
  return cell(last, other.length)
}

/** Each row of the table is as long as the name and one more. */
const cell = (row: readonly number[], at: number) => row[at] ?? Infinity
