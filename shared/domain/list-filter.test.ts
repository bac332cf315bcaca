import { expect, test } from 'vitest'
import { parseFilter, type Filter } from './list-filter.ts'

const all = (...values: string[]): Filter => ({ mode: 'all', values, negated: false })
const any = (...values: string[]): Filter => ({ mode: 'any', values, negated: false })

// Source: section 7 of the contract.
test.each<[string, Filter | undefined]>([
  ['', undefined],
  [' ', undefined],
  [',', undefined],
  ['|', undefined],
  ['a', all('a')],
  [' a ', all('a')],
  ['a,b', all('a', 'b')],
  ['a, b ,', all('a', 'b')],
  ['a|b', any('a', 'b')],
  ['a | b', any('a', 'b')],
  ['a,b|c', all('a', 'b|c')],
  ['!a', all('!a')],
])('%j asks for %j', (text, filter) => {
  expect(parseFilter(text, { canNegate: false })).toEqual(filter)
})

test.each<[string, Filter | undefined]>([
  ['!a', { ...all('a'), negated: true }],
  ['!a|b', { ...any('a', 'b'), negated: true }],
  ['a!', all('a!')],
  ['!', undefined],
])('where it can be negated, %j asks for %j', (text, filter) => {
  expect(parseFilter(text, { canNegate: true })).toEqual(filter)
})
