import { describe, expect, test } from 'vitest'
import { readModelSecret } from './model-secret.ts'
import { inBase64 } from './test-attempt.ts'

const read = (data: Record<string, string>) => readModelSecret('s', inBase64(data))

describe('readModelSecret', () => {
  test('gives the adapter a reference for each credential, and knows no value', () => {
    const secret = read({
      'api-key': 'value-1',
      'judge_api-key': 'value-2',
      judge_sa_token: 'value-3',
      'hf-token': 'value-4',
      password: 'value-5',
    })

    expect(secret).toEqual({
      name: 's',
      references: { 'api-key': 'api-key:ref', 'judge_api-key': 'judge_api-key:ref', judge_sa_token: 'judge_sa_token:ref' },
    })
  })

  test('sends addresses through the sidecar', () => {
    expect(read({ judge_url: ' https://key:word@judge.example/v1/\n' })).toMatchObject({
      references: { judge_url: 'http://localhost:8080/v1' },
    })
  })

  test('passes over an address that is blank', () => {
    expect(read({ judge_url: ' ' })).toMatchObject({ references: {} })
  })

  test.each(['judge.example/v1', 'ftp://judge.example', 'https://', 'https:///judge.example', 'https:\\\\judge.example'])(
    'names the key of an address that nothing can be asked at: %s',
    (url) => {
      expect(read({ judge_url: url })).toEqual({ badKey: 'judge_url' })
    },
  )
})
