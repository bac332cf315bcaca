import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { setMember } from './splice-json.ts'

describe('setMember', () => {
  test.each([
    ['{}', ['a'], '{"a":1}'],
    ['{ }', ['a', 'b'], '{ "a":{"b":1}}'],
    ['{"x": 1.50e+3 }', ['a'], '{"x": 1.50e+3 ,"a":1}'],
    ['{"a": {"x":"}\\"{"} }', ['a', 'b'], '{"a": {"x":"}\\"{","b":1} }'],
    ['{"a":{"b": 12345678901234567890, "c":[1,{"b":2}]}}', ['a', 'b'], '{"a":{"b": 1, "c":[1,{"b":2}]}}'],
    ['{"a":null}', ['a', 'b'], '{"a":{"b":1}}'],
    ['{"a":"text","b":true}', ['a'], '{"a":1,"b":true}'],
    ['{"A" : [ ] }', ['a'], '{"A" : 1 }'],
    ['{"a":1,"a":2}', ['a'], '{"a":1,"a":1}'],
    ['{"\\u0061":5}', ['a'], '{"\\u0061":1}'],
    ['\n{"a":[[],{}],"b":{"c":{}}}\n', ['b', 'c', 'd'], '\n{"a":[[],{}],"b":{"c":{"d":1}}}\n'],
  ])('%j with %j', (text, path, expected) => {
    expect(setMember(text, path, '1')).toBe(expected)
  })

  test('changes one member of whatever object, and nothing else', () => {
    const key = fc.string().filter((name) => name.toLowerCase() !== 'a' && name !== '__proto__')
    const object = fc.dictionary(key, fc.jsonValue({ maxDepth: 3 }))
    fc.assert(
      fc.property(object, fc.integer({ min: 0, max: 3 }), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        const changed = setMember(text, ['a', 'b'], '[1.0]')
        expect(JSON.parse(changed)).toEqual({ ...JSON.parse(text), a: { b: [1] } })
        expect(changed.startsWith(text.replace(/\s*}$/, ''))).toBe(true)
        expect(JSON.parse(setMember(changed, ['a', 'b'], '2'))).toEqual({ ...JSON.parse(text), a: { b: 2 } })
      }),
    )
  })
})
