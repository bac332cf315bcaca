const FORMAT = /^\+?(\d+(?:\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d{1,2})?$/

const FACTORS: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** The number that a Kubernetes quantity stands for (bytes, cores); undefined for what is none, or is negative. */
export function readQuantity(text: string): number | undefined {
  const [, digits, suffix = ''] = FORMAT.exec(text) ?? []
  if (digits === undefined) return undefined
  return /^[eE][+-]?\d/.test(suffix) ? Number(digits + suffix) : Number(digits) * (FACTORS[suffix] ?? 1)
}

const mebibyte = 2 ** 20

/** Bytes as a quantity, in whole MiB and no less. */
export const inMebibytes = (bytes: number): string => `${Math.ceil(bytes / mebibyte)}Mi`

/** `quantity` and so many bytes more; unchanged if there are none. */
export const plus = (quantity: string, bytes: number): string =>
  bytes === 0 ? quantity : inMebibytes((readQuantity(quantity) ?? 0) + bytes)

/**
 * `factor` times as much memory, in whole MiB, but no more than `max`; unchanged where there is nothing to multiply, or where `quantity` is
 * above `max` already. All three are well-formed.
 */
export function grown(quantity: string, factor: number, max: string): string {
  const bytes = readQuantity(quantity) ?? 0
  const bytesMax = readQuantity(max) ?? 0
  if (factor <= 1 || bytes >= bytesMax) return quantity
  return bytes * factor >= bytesMax ? max : inMebibytes(bytes * factor)
}
