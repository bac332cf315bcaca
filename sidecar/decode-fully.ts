/** Decodings after which a path is still another one: more than anybody needs. */
const DECODINGS_MAX = 8

/**
 * Text as a server has it that decodes until nothing changes; signs that begin no octet stay. Undefined for text in more layers than are taken.
 */
export function decodedFully(text: string): string | undefined {
  let decoded = text
  for (let at = 0; at < DECODINGS_MAX; at++) {
    const next = decoded.replaceAll(/(%[0-9a-f]{2})+/gi, (octets) => Buffer.from(octets.replaceAll('%', ''), 'hex').toString())
    if (next === decoded) return decoded
    decoded = next
  }
  return undefined
}
