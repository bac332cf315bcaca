import { describe, expect, test } from 'vitest'
import { HubError } from '../errors.ts'
import { applyPatch } from './apply-patch.ts'
import { COLLECTION_RULES, PROVIDER_RULES, readPatch, type PatchOperation } from './read-patch.ts'

function codeOf(act: () => unknown): string | undefined {
  try {
    act()
  } catch (error) {
    if (error instanceof HubError) return error.code
    throw error
  }
  return undefined
}

describe('readPatch', () => {
  // Source: sections 5.6 and 6.5 of the contract, and what the published server was seen to take. Each path: what may be done to it, and to what lies below.
  const NOTHING: string[] = []
  const ALL = ['add', 'remove', 'replace']
  test.each<['providers' | 'collections', string, string[], string[]]>([
    ['providers', '/name', ['replace'], NOTHING],
    ['providers', '/title', ALL, NOTHING],
    ['providers', '/description', ALL, NOTHING],
    ['providers', '/tags', ALL, ALL],
    ['providers', '/custom', ALL, ALL],
    ['providers', '/agent', ALL, ALL],
    ['providers', '/runtime', ['replace'], ['replace']],
    ['providers', '/benchmarks', ['replace'], ['replace']],
    ['providers', '/resource', NOTHING, NOTHING],
    ['providers', '/nam', NOTHING, NOTHING],
    ['providers', '/tagsX', NOTHING, NOTHING],
    ['collections', '/name', ['replace'], NOTHING],
    ['collections', '/category', ['replace'], NOTHING],
    ['collections', '/description', ALL, NOTHING],
    ['collections', '/tags', ALL, ALL],
    ['collections', '/custom', ALL, ALL],
    ['collections', '/benchmarks', ['replace'], ['replace']],
    ['collections', '/pass_criteria', ALL, NOTHING],
    ['collections', '/domains', ALL, ALL],
    ['collections', '/agent', NOTHING, NOTHING],
    ['collections', '/curation_order', NOTHING, NOTHING],
  ])('take from patches of %s, at %s, %j, and below it %j', (noun, path, own, below) => {
    const rules = noun === 'providers' ? PROVIDER_RULES : COLLECTION_RULES
    const allowed = (at: string) => ALL.filter((op) => codeOf(() => readPatch([{ op, path: at, value: 1 }], rules)) === undefined)
    expect([allowed(path), allowed(`${path}/0`)]).toEqual([own, below])
  })

  test.each([
    [{}, 'invalid_json_request'],
    ['x', 'invalid_json_request'],
    [[{ op: 'test', path: '/name' }], 'invalid_patch_operation'],
    [[{}], 'invalid_patch_operation'],
    [[null], 'invalid_patch_operation'],
    [[{ op: 'replace' }], 'invalid_json_request'],
    [[{ op: 'replace', path: 7 }], 'invalid_json_request'],
    [[{ op: 'add', path: '/custom/constructor/x', value: 1 }], 'unallowed_patch'],
    [[{ op: 'add', path: '/custom/__proto__', value: 1 }], 'unallowed_patch'],
  ])('refuses %j with %s', (json, code) => {
    expect(codeOf(() => readPatch(json, PROVIDER_RULES))).toBe(code)
  })

  // Guarantee: neither the number of operations nor what they do to what they find grows beyond what was sent.
  test.each(['copy', 'move', 'test'])('takes no %s, which would do much with little', (op) => {
    expect(codeOf(() => readPatch([{ op, from: '/custom', path: '/custom/twice', value: 1 }], COLLECTION_RULES))).toBe(
      'invalid_patch_operation',
    )
  })

  test('takes a thousand operations, and refuses more with how many there are and how many may be', () => {
    const operations = (count: number) => Array.from({ length: count }, () => ({ op: 'add', path: '/tags/-', value: 'x' }))
    expect(readPatch(operations(1000), COLLECTION_RULES)).toHaveLength(1000)
    expect(() => readPatch(operations(60_000), COLLECTION_RULES)).toThrow(/the patch has 60000 operations, and at most 1000 are taken/)
  })

  test('refuses a path that nothing lies at', () => {
    const at = (length: number) => () => readPatch([{ op: 'add', path: `/custom/${'a'.repeat(length - 8)}`, value: 1 }], COLLECTION_RULES)
    expect(at(1024)()).toHaveLength(1)
    expect(at(1025)).toThrow(/has 1025 characters; at most 1024 are taken/)
    const down = (levels: number) => () => readPatch([{ op: 'add', path: `/custom${'/a'.repeat(levels - 1)}`, value: 1 }], COLLECTION_RULES)
    expect(down(100)()).toHaveLength(1)
    expect(down(101)).toThrow(/leads 101 levels down; at most 100 are taken/)
  })

  test.each([[null], [[]]])('%j is no change', (json) => {
    expect(readPatch(json, PROVIDER_RULES)).toEqual([])
  })
})

describe('applyPatch', () => {
  const before = { tags: ['a', 'b'], custom: { deep: { x: 1 } }, name: 'n' }
  test.each<[PatchOperation, object]>([
    [{ op: 'replace', path: '/name', value: 'm' }, { name: 'm' }],
    [{ op: 'replace', path: '/title', value: 't' }, { title: 't' }],
    [{ op: 'add', path: '/tags/-', value: 'c' }, { tags: ['a', 'b', 'c'] }],
    [{ op: 'add', path: '/tags/0', value: 'c' }, { tags: ['c', 'a', 'b'] }],
    [{ op: 'remove', path: '/tags/0' }, { tags: ['b'] }],
    [{ op: 'replace', path: '/tags/1', value: 'c' }, { tags: ['a', 'c'] }],
    [{ op: 'remove', path: '/custom/deep/x' }, { custom: { deep: {} } }],
    [{ op: 'add', path: '/custom/a~1b~0', value: 1 }, { custom: { deep: { x: 1 }, 'a/b~': 1 } }],
    [{ op: 'replace', path: '/custom', value: null }, { custom: null }],
  ])('%j makes %j of it', (operation, after) => {
    expect(applyPatch(before, [operation])).toEqual({ ...before, ...after })
    expect(before).toEqual({ tags: ['a', 'b'], custom: { deep: { x: 1 } }, name: 'n' })
  })

  test.each<PatchOperation>([
    { op: 'remove', path: '/title' },
    { op: 'add', path: '/none/x', value: 1 },
    { op: 'replace', path: '/none/x', value: 1 },
    { op: 'replace', path: '/tags/2', value: 'c' },
    { op: 'add', path: '/tags/4', value: 'c' },
    { op: 'add', path: '/tags/-1', value: 'c' },
    { op: 'add', path: '/tags/01', value: 'c' },
    { op: 'add', path: '/tags/x', value: 'c' },
    { op: 'remove', path: '/tags/-' },
    { op: 'replace', path: '/name/x', value: 1 },
  ])('refuses %j, for which there is no place', (operation) => {
    expect(codeOf(() => applyPatch(before, [operation]))).toBe('invalid_json_request')
  })

  test('moves as many items of a list as a thousand operations on a thousand do, and refuses more', () => {
    const withList = (length: number) => ({ custom: { list: Array.from({ length }, () => 0) } })
    const atHead: PatchOperation[] = Array.from({ length: 1000 }, () => ({ op: 'add', path: '/custom/list/0', value: 1 }))
    const atEnd: PatchOperation[] = Array.from({ length: 1000 }, () => ({ op: 'add', path: '/custom/list/-', value: 1 }))
    const replaced: PatchOperation[] = Array.from({ length: 1000 }, () => ({ op: 'replace', path: '/custom/list/0', value: 1 }))
    expect(applyPatch(withList(1000), atHead)).toMatchObject({ custom: { list: { length: 2000 } } })
    expect(applyPatch(withList(100_000), atEnd)).toMatchObject({ custom: { list: { length: 101_000 } } })
    expect(applyPatch(withList(100_000), replaced)).toMatchObject({ custom: { list: { length: 100_000 } } })
    for (const operations of [atHead, atHead.map(({ path }): PatchOperation => ({ op: 'remove', path }))]) {
      expect(() => applyPatch(withList(100_000), operations)).toThrow(
        /more than 2000000 items of lists would be moved; replace the whole list/,
      )
    }
  })

  test('puts nothing deeper than what is read, however many steps it takes', () => {
    const nested = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}{}${'}'.repeat(levels)}`) as unknown
    const operations = (levels: number): PatchOperation[] => [
      { op: 'add', path: '/custom/a', value: nested(levels) },
      { op: 'add', path: `/custom${'/a'.repeat(levels + 1)}/a`, value: nested(levels) },
    ]
    expect(applyPatch({ custom: {} }, operations(400))).toBeDefined()
    expect(() => applyPatch({ custom: {} }, operations(600))).toThrow(/more than 1000 deep/)
  })

  test('does all or nothing, in order', () => {
    const operations: PatchOperation[] = [
      { op: 'add', path: '/custom/list', value: [] },
      { op: 'add', path: '/custom/list/-', value: 1 },
    ]
    expect(applyPatch(before, operations)).toMatchObject({ custom: { list: [1] } })
    expect(codeOf(() => applyPatch(before, [...operations, { op: 'remove', path: '/none' }]))).toBe('invalid_json_request')
  })
})
