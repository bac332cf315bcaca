/** Who asks for a part of something that parties share. */
export type Asking = {
  party: string
  /** When its party was served last: larger is later, 0 is not yet. */
  servedAt: number
  /** When it came: larger is later. */
  ticket: number
}

/** What parties hold; one that is not named holds nothing. */
export type Held = ReadonlyMap<string, number>

/**
 * Who is served next, of those that are first among their party's own: of the party that holds least, among several of the one that was served
 * longest ago, and then who came first.
 *
 * So nobody gets more than half of a thing while another one waits for it, and all of it may be had by who is alone. Undefined if nobody asks.
 */
export function nextOf<One extends Asking>(firsts: Iterable<One>, held: Held): One | undefined {
  let next: One | undefined
  for (const one of firsts) if (!next || isBefore(one, next, held)) next = one
  return next
}

function isBefore(one: Asking, other: Asking, held: Held): boolean {
  const byHeld = (held.get(one.party) ?? 0) - (held.get(other.party) ?? 0)
  return (byHeld || one.servedAt - other.servedAt || one.ticket - other.ticket) < 0
}

/** True if a party that holds `own` has half at most with `amount` more, or has nothing yet: who asks for more than half is served too. */
export const isWithinHalf = (own: number, amount: number, size: number): boolean => own === 0 || own + amount <= Math.max(1, size / 2)

/**
 * The party that is to give something back: it holds more than half of `size`, and more than one unit, which it got while it was alone; and now
 * another one waits that would not hold more than half itself.
 */
export function partyToYield(firsts: Iterable<{ party: string; amount: number }>, held: Held, size: number): string | undefined {
  const [large] = [...held].find(([, amount]) => amount > Math.max(1, size / 2)) ?? []
  if (large === undefined) return undefined
  for (const { party, amount } of firsts) {
    if (party !== large && isWithinHalf(held.get(party) ?? 0, amount, size)) return large
  }
  return undefined
}
