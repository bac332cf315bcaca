import { describe, expect, test } from 'vitest'
import { filterWarnings, type AskedFilter } from './filter-warnings.ts'
import { parseFilter } from './list-filter.ts'

const STATES = ['pending', 'running', 'completed']
const warningsOf = (text: string, more: Partial<AskedFilter> = {}) =>
  filterWarnings([{ name: 'status', filter: parseFilter(text, { canNegate: more.canNegate ?? false }), ...more }])
const status = { values: STATES, canNegate: true }

describe('filterWarnings', () => {
  test.each<[string, Partial<AskedFilter>, RegExp]>([
    ['complted', status, /^status is never 'complted': it is pending, running, completed\. Is completed meant\?$/],
    ['PENDING', status, /^status is never 'PENDING': .* Is pending meant\?$/],
    ['!done', status, /^status is never 'done': it is pending, running, completed\.$/],
    ['pending|runing', status, /^status is never 'runing'/],
    ['pending,running', status, /^status has one value, so it is never both 'pending' and another: .*write \|/],
    ['!x', { name: 'tags', hasMany: true }, /^tags is looked for with its '!'/],
    [`${'x'.repeat(200)}`, status, /^status is never 'x{64}…'/],
  ])('of %j with %j says so', (text, more, warning) => {
    expect(warningsOf(text, more)).toEqual([expect.stringMatching(warning)])
  })

  test.each<[string, Partial<AskedFilter>]>([
    ['', status],
    ['pending', status],
    ['!pending', status],
    ['pending|running', status],
    ['pending,pending', status],
    ['a,b', { name: 'tags', hasMany: true }],
    ['anything', { name: 'name' }],
  ])('has nothing to say of %j', (text, more) => {
    expect(warningsOf(text, more)).toEqual([])
  })

  test('tells of the first values only', () => {
    expect(warningsOf(Array.from({ length: 50 }, (_, at) => `s${at}`).join('|'), status)).toHaveLength(3)
  })
})
