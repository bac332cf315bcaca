/**
 * Changes JSON text in one place and leaves every other character as it is, so that numbers keep their spelling and unknown members stay.
 * The text must be JSON that has been parsed, with an object on top. Names are found in any case, as the hub reads them; of several the
 * last counts.
 */

/** The text with the member at `path` set to `value`, which is JSON. Objects on the way that are missing or null are made. */
export function setMember(text: string, path: readonly string[], value: string): string {
  const place = placeOf(text, path)
  const nested = place.missing.reduceRight((inner, name) => `{${JSON.stringify(name)}:${inner}}`, value)
  return text.slice(0, place.start) + place.before + nested + text.slice(place.end)
}

type Place = {
  /** Span that a new value replaces. */
  start: number
  end: number
  /** What a new value must be written behind. */
  before: string
  /** Names of the objects that a new value must be put into. */
  missing: readonly string[]
}

function placeOf(text: string, path: readonly string[]): Place {
  let start = afterSpace(text, 0)
  for (const [depth, name] of path.entries()) {
    const { members, close } = membersOf(text, start)
    const member = members.findLast((each) => each.name === name.toLowerCase())
    const missing = path.slice(depth + 1)
    if (!member) return { start: close, end: close, before: `${members.length > 0 ? ',' : ''}${JSON.stringify(name)}:`, missing }
    start = member.start
    if (missing.length > 0 && text[start] !== '{') return { start, end: member.end, before: '', missing }
  }
  return { start, end: endOfValue(text, start), before: '', missing: [] }
}

type Member = { name: string; start: number; end: number }

/** Members of the object that begins at `at`, and where its closing brace is. */
function membersOf(text: string, at: number): { members: Member[]; close: number } {
  const members: Member[] = []
  let next = afterSpace(text, at + 1)
  while (text[next] === '"') {
    const nameEnd = endOfString(text, next)
    const name = String(JSON.parse(text.slice(next, nameEnd))).toLowerCase()
    const start = afterSpace(text, afterSpace(text, nameEnd) + 1)
    const end = endOfValue(text, start)
    members.push({ name, start, end })
    next = afterSpace(text, end)
    if (text[next] === ',') next = afterSpace(text, next + 1)
  }
  return { members, close: next }
}

function afterSpace(text: string, at: number): number {
  let next = at
  while (next < text.length && ' \t\n\r'.includes(text.charAt(next))) next++
  return next
}

function endOfString(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next++) {
    if (text[next] === '\\') next++
    else if (text[next] === '"') return next + 1
  }
  return text.length
}

function endOfValue(text: string, at: number): number {
  let depth = 0
  for (let next = at; next < text.length; next++) {
    const character = text.charAt(next)
    if (character === '"') {
      next = endOfString(text, next) - 1
      if (depth === 0) return next + 1
    } else if (character === '{' || character === '[') depth++
    else if (depth > 0 && (character === '}' || character === ']')) {
      depth--
      if (depth === 0) return next + 1
    } else if (depth === 0 && ',]} \t\n\r'.includes(character)) return next
  }
  return text.length
}
