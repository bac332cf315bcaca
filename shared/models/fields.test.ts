import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { float32, Tag } from './fields.ts'
import { isAllowedGitUrl, TestDataRef } from './test-data.ts'

describe('float32', () => {
  test.each([
    [0.85, 0.85],
    [0.1 + 0.2, 0.3],
    [1 / 3, 0.33333334],
    [16777217, 16777216],
    [0, 0],
    [-2.5, -2.5],
    [1e39, 3.4028235e38],
    [-1e300, -3.4028235e38],
    [1e-50, 0],
  ])('%d is %d', (value, short) => {
    expect(float32(value)).toBe(short)
  })

  test('names the same 32-bit number', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => Math.fround(float32(value)) === Math.fround(value)),
    )
  })
})

test.each([
  ['a', true],
  ['', false],
  ['a,b', false],
  ['a|b', false],
  ['x'.repeat(128), true],
  ['x'.repeat(129), false],
  ['🙂'.repeat(128), true],
])('the tag %s is taken: %s', (tag, isTaken) => {
  expect(Tag.safeParse(tag).success).toBe(isTaken)
})

describe('isAllowedGitUrl', () => {
  test.each(['https://github.com/a/b', 'http://git.example.org:8080/a.git', 'https://8.8.8.8/a', 'https://172.32.0.1/a'])(
    'takes %s',
    (url) => {
      expect(isAllowedGitUrl(url)).toBe(true)
    },
  )
  test.each([
    'git@github.com:a/b',
    'ssh://github.com/a',
    'file:///etc',
    'https://localhost/a',
    'https://LOCALHOST./a',
    'https://metadata.google.internal/a',
    'https://db.svc/a',
    'https://x.cluster.local/a',
    'https://127.0.0.1/a',
    'https://2130706433/a',
    'https://0x7f.1/a',
    'https://10.0.0.1/a',
    'https://192.168.1.1/a',
    'https://172.16.0.1/a',
    'https://169.254.169.254/a',
    'https://0.0.0.0/a',
    'https://[::1]/a',
    'https://[fd00::1]/a',
    'https://[fe80::1]/a',
    'https://[::ffff:10.0.0.1]/a',
  ])('refuses %s', (url) => {
    expect(isAllowedGitUrl(url)).toBe(false)
  })
})

describe('TestDataRef', () => {
  const git = { url: 'https://github.com/a/b', ref: 'main' }
  test.each([
    [{ git }, true],
    [{ hf: { repo_id: 'a/b' } }, true],
    [{ pvc: { claim_name: 'data' }, type: 'pre_recorded_data' }, true],
    [{}, false],
    [{ git, hf: { repo_id: 'a/b' } }, false],
    [{ hf: { repo_id: ' ' } }, false],
    [{ pvc: { claim_name: 'Data' } }, false],
    [{ git: { ...git, url: 'http://github.com/a/b', secret_ref: 's' } }, false],
    [{ git: { ...git, secret_ref: 's' } }, true],
  ])('%j is taken: %s', (ref, isTaken) => {
    expect(TestDataRef.safeParse(ref).success).toBe(isTaken)
  })
})
