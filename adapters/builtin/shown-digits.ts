/** Any decimal number of so many digits is told apart by a double; more of them only show how a sum was rounded. */
const DIGITS = 15

/** The same, with numbers of 15 significant digits at most: 0.2, and not 0.20000000000000004. Off by 5e-16 of a number at most. */
export function inShownDigits<Value>(value: Value): Value {
  // Of the same shape: each branch gives back what it was given, but for digits.
  return (typeof value === 'number' ? Number(value.toPrecision(DIGITS)) : isNested(value) ? nested(value) : value) as Value
}

const isNested = (value: unknown): value is object => typeof value === 'object' && value !== null

const nested = (value: object): unknown =>
  Array.isArray(value)
    ? value.map((part: unknown) => inShownDigits(part))
    : Object.fromEntries(Object.entries(value).map(([name, part]) => [name, inShownDigits<unknown>(part)]))
