import { expect, test } from 'vitest'
import { readCredentialKey } from './credential-key.ts'

// Guarantee: what a bridge lets go to a host by its list, and what a sidecar sends there, are the same.
test.each([
  ['api-key', {}],
  ['judge_api-key', { urlKey: 'judge_url' }],
  ['judge_sa_token', { urlKey: 'judge_url' }],
  ['a_b.c-d_api-key', { urlKey: 'a_b.c-d_url' }],
  ['x_api-key_sa_token', { urlKey: 'x_api-key_url' }],
  ['_api-key', undefined],
  ['_sa_token', undefined],
  ['sa_token', undefined],
  ['judge-api-key', undefined],
  ['API-KEY', undefined],
  ['hf-token', undefined],
  ['judge_url', undefined],
  ['judge/x_api-key', undefined],
  [`${'x'.repeat(246)}_api-key`, undefined],
])('%s', (key, found) => {
  expect(readCredentialKey(key)).toEqual(found)
})
