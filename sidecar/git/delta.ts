/** A size of git: seven bits a byte, the lowest first. Undefined where there is none. */
function sizeAt(bytes: Buffer, start: number): { size: number; end: number } | undefined {
  let size = 0
  for (let at = start, unit = 1; at < bytes.length && unit < 2 ** 49; at++, unit *= 128) {
    const byte = bytes.readUInt8(at)
    size += (byte & 127) * unit
    if (byte < 128) return { size, end: at + 1 }
  }
  return undefined
}

/** How large a delta says that its base and its result are, and where its instructions begin; undefined for what is no delta. */
export function readDelta(delta: Buffer): { base: number; result: number; start: number } | undefined {
  const base = sizeAt(delta, 0)
  const result = base && sizeAt(delta, base.end)
  return result && { base: base.size, result: result.size, start: result.end }
}

/**
 * The result of a delta, as large as it says; undefined for what does not fit together. Takes memory for the result only, so look at the size
 * before. Source: gitformat-pack(5).
 */
export function applyDelta(base: Buffer, delta: Buffer): Buffer | undefined {
  const sizes = readDelta(delta)
  if (!sizes || sizes.base !== base.length) return undefined
  const result = Buffer.allocUnsafeSlow(sizes.result)
  let filled = 0
  for (let at = sizes.start; at < delta.length;) {
    const instruction = delta.readUInt8(at++)
    const copy = instruction < 128 ? undefined : copyAt(delta, at, instruction)
    const source = copy ? base : delta
    const from = copy ? copy.from : at
    const length = copy ? copy.length : instruction
    at = copy ? copy.end : at + length
    if (length === 0 || from + length > source.length || filled + length > result.length) return undefined
    source.copy(result, filled, from, from + length)
    filled += length
  }
  return filled === result.length ? result : undefined
}

/** From where in the base how much is copied. The instruction's bits say which bytes follow it; a length of 0 means 64 KiB. */
function copyAt(delta: Buffer, start: number, instruction: number): { from: number; length: number; end: number } {
  let end = start
  const numberOf = (bits: readonly number[]) =>
    bits.reduce((sum, bit, at) => sum + (instruction & bit ? (delta[end++] ?? 0) * 256 ** at : 0), 0)
  const from = numberOf([1, 2, 4, 8])
  const length = numberOf([16, 32, 64]) || 0x10000
  return { from, length, end }
}
