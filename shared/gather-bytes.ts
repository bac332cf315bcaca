/** The first block, and the largest but for one that a larger piece needs. */
const [FIRST_BYTES, BLOCK_BYTES] = [1024, 64 * 1024]

export type GatheredBytes = {
  /** Copies `piece` to the end. Says how many bytes have been allocated for it, for who counts memory. */
  add: (piece: Uint8Array) => number
  /** All of it in one, and forgets it. */
  take: () => Uint8Array<ArrayBuffer>
}

/**
 * Puts together what comes in pieces of any size. No piece is kept: who sends each byte by itself, as a chunk of HTTP may be, would otherwise have us
 * hold an object of a hundred bytes and more for each. Beside its bytes at most as much again is allocated, and at most 64 KiB.
 */
export function gatherBytes(): GatheredBytes {
  let blocks: Uint8Array[] = []
  let used = 0
  let bytes = 0
  return {
    add(piece) {
      const last = blocks.at(-1)
      const fits = piece.subarray(0, last ? last.length - used : 0)
      last?.set(fits, used)
      used += fits.length
      bytes += piece.length
      const rest = piece.subarray(fits.length)
      if (rest.length === 0) return 0
      const block = new Uint8Array(Math.max(rest.length, Math.min(BLOCK_BYTES, Math.max(FIRST_BYTES, bytes - rest.length))))
      block.set(rest)
      blocks.push(block)
      used = rest.length
      return block.length
    },
    take() {
      const whole = new Uint8Array(bytes)
      let at = 0
      for (const block of blocks) {
        whole.set(block.subarray(0, bytes - at), at)
        at += block.length
      }
      blocks = []
      used = bytes = 0
      return whole
    },
  }
}
