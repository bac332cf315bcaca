import { describe, expect, test } from 'vitest'
import { lastLines, outcomeOf } from './outcome.ts'

describe('outcomeOf', () => {
  test.each([
    [{ code: 7, signal: null }, 'The adapter of benchmark b ended with exit code 7 before it reported results. Its last lines:\nboom'],
    [{ code: 0, signal: null }, 'The adapter of benchmark b ended without reporting results. Its last lines:\nboom'],
    [
      { code: null, signal: 'SIGKILL' as const },
      'The adapter of benchmark b was ended by SIGKILL before it reported results. Its last lines:\nboom',
    ],
  ])('tells %j in words', (exit, message) => {
    expect(outcomeOf(exit, 'boom\n', 'b')).toMatchObject({ failureClass: 'adapter_exit', message })
  })

  test('says so if the adapter wrote nothing', () => {
    expect(outcomeOf({ code: 1, signal: null }, ' \n', 'b').message).toMatch(/It wrote nothing\.$/)
  })

  test('has an exit code only where there is one', () => {
    expect(outcomeOf({ code: 7, signal: null }, '', 'b').exitCode).toBe(7)
    expect(outcomeOf({ code: null, signal: 'SIGTERM' }, '', 'b')).not.toHaveProperty('exitCode')
  })
})

describe('lastLines', () => {
  test.each([
    ['a\r\nb\r\n', 'a\nb'],
    ['10%\r20%\r100%', '10%\n20%\n100%'],
    ['\u001b[31mred\u001b[0m and \u001b]0;title\u0007plain\u0000', 'red and plain'],
    ['tab\tstays', 'tab\tstays'],
    ['', ''],
  ])('%j is shown as %j', (output, shown) => {
    expect(lastLines(output)).toBe(shown)
  })

  test('keeps 20 lines and 4096 characters, from the end', () => {
    const many = Array.from({ length: 50 }, (_, at) => `line ${at}`).join('\n')

    expect(lastLines(many).split('\n')).toHaveLength(20)
    expect(lastLines(many)).toMatch(/line 49$/)
    expect(lastLines(`${'x'.repeat(9000)}end`)).toHaveLength(4096)
    expect(lastLines(`${'x'.repeat(9000)}end`)).toMatch(/end$/)
  })
})
