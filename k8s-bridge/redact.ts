/** A copy of `text` in which each secret is as many asterisks, so that positions stay true. */
export function redact(text: Buffer, secrets: readonly Buffer[]): Buffer {
  const result = Buffer.from(text)
  for (const secret of secrets) {
    for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1)) result.fill('*', at, at + secret.length)
  }
  return result
}

/** Length of the longest end of `text` that a secret begins with, but is not whole. */
export function partAtEnd(text: Buffer, secrets: readonly Buffer[]): number {
  const lengths = secrets.map((secret) => {
    for (let length = Math.min(secret.length - 1, text.length); length > 0; length--) {
      if (text.subarray(text.length - length).equals(secret.subarray(0, length))) return length
    }
    return 0
  })
  return Math.max(0, ...lengths)
}

/** Shorter values are taken for words. */
const lengthMin = 8

/**
 * What must not be shown of the values of Secrets. A value of several lines, such as a key file, is hidden line by line: that is how logs
 * are kept. Longest first.
 */
export function secretsToHide(values: Iterable<string>): Buffer[] {
  const lines = [...values].flatMap((value) => value.split(/\r?\n/)).map((line) => line.trim())
  const secrets = [...new Set(lines)].map((line) => Buffer.from(line)).filter(({ length }) => length >= lengthMin)
  return secrets.sort((one, other) => other.length - one.length)
}
