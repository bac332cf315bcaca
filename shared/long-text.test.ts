import { expect, test } from 'vitest'
import { parseJson } from './decode.ts'
import { kindOfAddress } from './domain/address.ts'

/** Milliseconds that `work` takes, the least of three times. */
function took(work: () => unknown): number {
  const times = [1, 2, 3].map(() => {
    const started = performance.now()
    work()
    return performance.now() - started
  })
  return Math.min(...times)
}

// Guarantee: what is looked for in a body is found in the time that it takes to read it; 160 times that, for 10 MB, was 15 s.
test.each([
  ['numbers of 199 digits', `[${`${'9'.repeat(199)},`.repeat(5000)}0]`],
  ['exponents', `[${'1e99,'.repeat(200_000)}0]`],
  ['escapes', `["${'\\u0063'.repeat(170_000)}"]`],
])('a body of %s is refused or taken in about the time that JSON.parse needs', (_, text) => {
  expect(took(() => parseJson(text))).toBeLessThan(30 * took(() => JSON.parse(text)))
})

// Each of these took minutes.
test.each(['%'.repeat(500_000) + '\n:', '.'.repeat(500_000) + '\n::', '1'.repeat(500_000) + ':'])('no address is %#', (text) => {
  expect(kindOfAddress(text)).toBeUndefined()
})
