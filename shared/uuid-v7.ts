type Sources = {
  /** Milliseconds since 1970. */
  now: () => number
  /** Fills the array with random bytes. */
  random: (bytes: Uint8Array<ArrayBuffer>) => void
}

/**
 * A source of UUIDs of version 7 (RFC 9562): they sort by the time at which they were made.
 *
 * Those of one source rise strictly, also within a millisecond and when the clock steps back: the 12 bits after the
 * version count on, and borrow from the future when they are used up.
 */
export function uuidV7Source({ now, random }: Sources): () => string {
  let last = 0
  let counter = 0
  return () => {
    const at = now()
    if (at > last) [last, counter] = [at, 0]
    else if (counter < 0xfff) counter++
    else [last, counter] = [last + 1, 0]

    const bytes = new Uint8Array(16)
    random(bytes)
    const view = new DataView(bytes.buffer)
    view.setUint16(0, Math.floor(last / 2 ** 32))
    view.setUint32(2, last % 2 ** 32)
    view.setUint16(6, 0x7000 | counter)
    view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f))
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }
}
