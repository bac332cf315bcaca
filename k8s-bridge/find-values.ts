/** Finds all of many values in one pass over a text: the automaton of Aho and Corasick. States are numbers; 0 is that of no text. */
export type Finder = {
  /** The state after one more byte. A text of n bytes takes 2n steps at most, whatever the values are. */
  next(state: number, byte: number): number
  /** Length of the longest value that ends here; 0 if none does. */
  found(state: number): number
  /** Length of the longest end of the text with which a value begins that would go on. */
  begun(state: number): number
}

/** `values` are neither empty nor longer than 255 bytes. Takes time and memory by the sum of their lengths. */
export function createFinder(values: readonly Buffer[]): Finder {
  const size = values.reduce((sum, { length }) => sum + length, 1)
  const children = createChildren(size)
  /** By state: the longest other state that is an end of it, what ends there, and how long it is. */
  const fallback = new Uint32Array(size)
  const found = new Uint8Array(size)
  const depths = new Uint8Array(size)
  const hasMore = new Uint8Array(size)

  const next = (state: number, byte: number): number => {
    for (let from = state; ; from = fallback[from] ?? 0) {
      const child = children.get(from, byte)
      if (child !== 0 || from === 0) return child
    }
  }

  // Byte by byte of all values, so that shorter states are complete before longer ones ask for them.
  const states = new Uint32Array(values.length)
  const longest = values.reduce((most, { length }) => Math.max(most, length), 0)
  let count = 1
  for (let depth = 1; depth <= longest; depth++) {
    for (const [index, value] of values.entries()) {
      const byte = value[depth - 1]
      if (byte === undefined) continue
      const parent = states[index] ?? 0
      let state = children.get(parent, byte)
      if (state === 0) {
        state = count++
        fallback[state] = parent === 0 ? 0 : next(fallback[parent] ?? 0, byte)
        children.set(parent, byte, state)
        hasMore[parent] = 1
        depths[state] = depth
        found[state] = found[fallback[state] ?? 0] ?? 0
      }
      if (value.length === depth) found[state] = depth
      states[index] = state
    }
  }

  return {
    next,
    found: (state) => found[state] ?? 0,
    begun(state) {
      let from = state
      while (from !== 0 && hasMore[from] === 0) from = fallback[from] ?? 0
      return depths[from] ?? 0
    },
  }
}

/** A table of the states after a state and a byte: open addressing in flat arrays, since a `Map` of as many takes ten times the memory. */
function createChildren(size: number) {
  const mask = 2 ** Math.ceil(Math.log2(size * 1.5)) - 1
  const keys = new Uint32Array(mask + 1)
  const states = new Uint32Array(mask + 1)
  /** Most texts are at no value most of the time. */
  const first = new Uint32Array(256)

  const slotOf = (key: number) => {
    let slot = (Math.imul(key, 0x9e3779b1) >>> 7) & mask
    while (states[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & mask
    return slot
  }
  return {
    get: (state: number, byte: number): number => (state === 0 ? first[byte] : states[slotOf(state * 256 + byte)]) ?? 0,
    set(state: number, byte: number, child: number): void {
      if (state === 0) first[byte] = child
      const slot = slotOf(state * 256 + byte)
      keys[slot] = state * 256 + byte
      states[slot] = child
    },
  }
}
