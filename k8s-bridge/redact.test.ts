import { describe, expect, test } from 'vitest'
import { partAtEnd, redact } from './redact.ts'

const secrets = ['sk-12345678', 'hf-abcdefgh'].map((text) => Buffer.from(text))

describe('redact', () => {
  test.each([
    ['nothing here', 'nothing here'],
    ['key=sk-12345678!', 'key=***********!'],
    ['sk-12345678sk-12345678hf-abcdefgh', '*'.repeat(33)],
    ['sk-1234567', 'sk-1234567'],
  ])('%j becomes %j', (text, redacted) => {
    expect(redact(Buffer.from(text), secrets).toString()).toBe(redacted)
  })

  test('leaves the original alone', () => {
    const text = Buffer.from('sk-12345678')
    redact(text, secrets)

    expect(text.toString()).toBe('sk-12345678')
  })
})

describe('partAtEnd', () => {
  test.each([
    ['', 0],
    ['all is said', 0],
    ['key=s', 1],
    ['key=sk-1234567', 10],
    ['key=sk-12345678', 0],
    ['hf-abc', 6],
  ])('%j ends with %i bytes of a secret', (text, length) => {
    expect(partAtEnd(Buffer.from(text), secrets)).toBe(length)
  })
})
