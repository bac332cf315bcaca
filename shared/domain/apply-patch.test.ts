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
  // Source: sections 5.6 and 6.5 of the contract. Each path: what may be done to it, and to what lies below.
  const NOTHING: string[] = []
  const ALL = ['add', 'remove', 'replace']
  test.each<['providers' | 'collections', string, string[], string[]]>([
    ['providers', '/name', ['replace'], NOTHING],
    ['providers', '/title', ALL, NOTHING],
    ['providers', '/description', ALL, NOTHING],
    ['providers', '/tags', ALL, ALL],
    ['providers', '/custom', ALL, ALL],
    ['providers', '/agent', ALL, ALL],
    ['providers', '/runtime', ['replace'], ALL],
    ['providers', '/benchmarks', ['replace'], ALL],
    ['providers', '/resource', NOTHING, NOTHING],
    ['providers', '/nam', NOTHING, NOTHING],
    ['providers', '/tagsX', NOTHING, NOTHING],
    ['collections', '/name', ['replace'], NOTHING],
    ['collections', '/category', ['replace'], NOTHING],
    ['collections', '/description', ALL, NOTHING],
    ['collections', '/tags', ALL, ALL],
    ['collections', '/custom', ALL, ALL],
    ['collections', '/benchmarks', ['replace'], ALL],
    ['collections', '/pass_criteria', ALL, NOTHING],
    ['collections', '/domains', ['replace'], NOTHING],
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

  test('does all or nothing, in order', () => {
    const operations: PatchOperation[] = [
      { op: 'add', path: '/custom/list', value: [] },
      { op: 'add', path: '/custom/list/-', value: 1 },
    ]
    expect(applyPatch(before, operations)).toMatchObject({ custom: { list: [1] } })
    expect(codeOf(() => applyPatch(before, [...operations, { op: 'remove', path: '/none' }]))).toBe('invalid_json_request')
  })
})
