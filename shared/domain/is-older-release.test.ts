import { expect, test } from 'vitest'
import { isOlderRelease } from './is-older-release.ts'

test.each([
  ['0.1.0', '0.2.0', true],
  ['0.2.0', '0.1.0', false],
  ['0.9.0', '0.10.0', true],
  ['1.0.0', '0.10.9', false],
  ['1.2.3', '1.2.4', true],
  ['1.2.3', '1.2.3', false],
  ['1.2.3-rc.1', '1.2.3', false],
  ['1.2.3+build', '1.2.4-rc.1', true],
  ['1', '1.0.1', true],
])('%s is older than %s: %j', (one, other, isOlder) => {
  expect(isOlderRelease(one, other)).toBe(isOlder)
})
