import { describe, expect, test } from 'vitest'
import { createScreen, harmless, painter, shorten, widthOf } from './terminal.ts'

describe('painter', () => {
  test('colours only where it was told to, and takes no width', () => {
    expect(painter(false)('red', 'x')).toBe('x')
    expect(painter(true)('red', 'x')).toBe('\u001b[31mx\u001b[39m')
    expect(widthOf(painter(true)('red', 'x━'))).toBe(2)
  })
})

describe('shorten', () => {
  test.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['😀😀😀', 2, '😀…'],
    ['abc', 0, '…'],
  ])('%j to %i is %j', (text, width, short) => {
    expect(shorten(text, width)).toBe(short)
  })
})

describe('harmless', () => {
  test.each([
    ['\u001b[2Jcleared', '␛[2Jcleared'],
    ['one\r\ntwo\u0007', 'one two␇'],
    ['right\u202eleft', 'right⟨U+202E⟩left'],
  ])('%j is %j', (text, safe) => {
    expect(harmless(text)).toBe(safe)
  })
})

describe('createScreen', () => {
  test('replaces live lines, leaves said ones, and writes nothing for no change', () => {
    const written: string[] = []
    const screen = createScreen((text) => written.push(text))

    screen.redraw(['a', 'b'])
    screen.redraw(['a', 'b'])
    screen.redraw(['c', 'd'])
    screen.say('kept')
    screen.redraw(['e'])

    expect(written).toEqual(['\u001b[0Ja\nb\n', '\u001b[2A\u001b[0Jc\nd\n', 'kept\n', '\u001b[0Je\n'])
  })
})
