import { describe, expect, test, vi } from 'vitest'
import { normalised } from './normalise.ts'
import { choiceLetter, choiceLetterMatch, contains, exactMatch, lastNumber, numeric, tokenF1 } from './scorers.ts'

describe('normalised', () => {
  test.each([
    ['  The  Answer, is:\nPARIS! ', 'answer is paris'],
    ["don't", 'dont'],
    ['well-known', 'well known'],
    ['-5', '-5'],
    ['−5', '-5'],
    ['3.14', '3.14'],
    ['ﬁne Ａ', 'fine'],
    ['Brasília', 'brasília'],
    ['?', '?'],
    ['', ''],
  ])('%j is compared as %j', (text, expected) => {
    expect(normalised(text)).toBe(expected)
  })

  // Guarantee: no answer of a model takes long to compare.
  test('leaves out more than 30 accents on one letter before it puts them into order', () => {
    const normalize = vi.spyOn(String.prototype, 'normalize')
    const [few, many] = ['\u0301\u0316'.repeat(15), '\u0301\u0316'.repeat(2000)]
    expect(normalised(`x${many}y${many}`)).toBe(normalised(`x${few}y${few}`))
    expect(normalize.mock.contexts.map(String)).toEqual([`x${few}y${few}`, `x${few}y${few}`])
  })
})

describe('exactMatch', () => {
  test.each([
    ['The Paris.', ['paris'], 1],
    ['Paris, France', ['paris'], 0],
    ['5', ['-5'], 0],
    ['Kiev', ['Kyiv', 'Kiev'], 1],
    ['', ['x'], 0],
  ])('%j against %j scores %i', (output, gold, score) => {
    expect(exactMatch(output, gold).score).toBe(score)
  })
})

describe('contains', () => {
  test.each([
    ['The capital is Paris.', ['Paris'], 1],
    ['It is in Nigeria', ['Niger'], 0],
    ['Washington, D.C. of course', ['Washington DC', 'Washington'], 1],
    ['首都是东京。', ['东京'], 1],
    ['', ['Paris'], 0],
    ["It's N'Djamena!", ["N'Djamena"], 1],
  ])('%j against %j scores %i', (output, gold, score) => {
    expect(contains(output, gold).score).toBe(score)
  })
})

describe('lastNumber', () => {
  test.each([
    ['9-5', 5],
    ['10 - 5 = 5', 5],
    ['it is -5.', -5],
    ['(-7)', -7],
    ['x=−3', -3],
    ['$1,234.50 in all', 1234.5],
    ['12,345,678', 12345678],
    ['1, 2 and 3', 3],
    ['1,2', 2],
    ['3.14e2', 314],
    ['none', undefined],
    ['5.', 5],
    ['**42**', 42],
  ])('of %j is %j', (text, expected) => {
    expect(lastNumber(text)).toBe(expected)
  })

  test('is found at once in a long hostile text', () => {
    const started = performance.now()
    lastNumber(`${'1,'.repeat(50_000)}${'1'.repeat(50_000)}x`)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe('numeric', () => {
  test.each([
    ['so 3 + 4 = 7', ['7'], 1],
    ['7.0000001', ['7'], 1],
    ['7.01', ['7'], 0],
    ['1,000', ['1000'], 1],
    ['I do not know', ['7'], 0],
    ['7', ['six', '7'], 1],
  ])('%j against %j scores %i', (output, gold, score) => {
    expect(numeric(output, gold).score).toBe(score)
  })
})

describe('choiceLetter', () => {
  test.each([
    ['B', 'B'],
    [' (c). ', 'C'],
    ['**D**', 'D'],
    ['The answer is D.', 'D'],
    ['Answer: **B**', 'B'],
    ['B) because of the light', 'B'],
    ['C. Plants\n\nThey make sugar', 'C'],
    ['I think it is (C), since A is wrong', 'C'],
    ['It is D', 'D'],
    ['A dog is here', undefined],
    ['the answer a question has', undefined],
    ['', undefined],
    ['no idea', undefined],
  ])('of %j is %j', (output, expected) => {
    expect(choiceLetter(output)).toBe(expected)
  })

  test('is judged as a wrong answer where there is none', () => {
    expect(choiceLetterMatch('no idea', ['A'])).toEqual({ score: 0 })
    expect(choiceLetterMatch('(a)', ['A'])).toEqual({ score: 1, extracted: 'A' })
  })
})

describe('tokenF1', () => {
  test.each([
    ['the cat sat', ['cat sat'], 1],
    ['cat sat down', ['cat'], 0.5],
    ['cat cat', ['cat'], 2 / 3],
    ['dog', ['cat'], 0],
    ['cat', ['dog', 'cat'], 1],
  ])('%j against %j is %f', (output, gold, score) => {
    expect(tokenF1(output, gold).score).toBeCloseTo(score, 12)
  })
})
