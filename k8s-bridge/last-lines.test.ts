import { describe, expect, test } from 'vitest'
import { lastLines } from './last-lines.ts'

describe('lastLines', () => {
  test.each([
    ['a\r\nb\r\n', 'a\nb'],
    ['10%\r20%\r100%', '10%\n20%\n100%'],
    ['\u001b[31mred\u001b[0m and \u001b]0;title\u0007plain\u0000', 'red and plain'],
    ['tab\tstays', 'tab\tstays'],
    ['pass\u202ella\u200b', 'pass⟨U+202E⟩lla⟨U+200B⟩'],
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
    expect(lastLines(`${'😀'.repeat(9000)}end`).isWellFormed()).toBe(true)
  })
})
