import { describe, expect, test } from 'vitest'
import { askedIn, proposedIn, replyTo, toyAnswer, toyErrs, toyKnows } from './toy-answers.ts'
import type { ToyItem } from './toy-answers.ts'

const sums = (count: number, dataset = 'arithmetic_problems'): ToyItem[] =>
  Array.from({ length: count }, (_, n) => ({ dataset, id: `s-${n}`, question: `What is ${n} + 1?`, answers: [String(n + 1)] }))

const knownChoice: ToyItem & { choices: string[] } = {
  dataset: 'science_choice',
  id: 'known',
  question: 'What is salty?',
  choices: ['water', 'sea water', 'iron', 'sand'],
  gold: 1,
}
const asked = { item: knownChoice, end: knownChoice.question.length }

describe('toyKnows', () => {
  test.each([
    ['arithmetic_problems', 0.8],
    ['science_choice', 0.7],
    ['world_capitals', 0.9],
    ['anything else', 0.75],
  ])('is true for the share of %s that was set', (dataset, share) => {
    const known = sums(4000, dataset).filter(toyKnows).length / 4000
    expect(Math.abs(known - share)).toBeLessThan(0.02)
  })
})

describe('toyErrs', () => {
  test.each([0, 0.005, 0.2, 1])('is true for a share of %d of the questions', (rate) => {
    const failing = sums(4000).filter((item) => toyErrs(item, rate)).length / 4000
    expect(Math.abs(failing - rate)).toBeLessThanOrEqual(0.015 * Math.sqrt(rate))
  })
})

describe('toyAnswer', () => {
  test('is right exactly for the questions that the toy knows', () => {
    for (const item of sums(300)) expect('answers' in item && item.answers.includes(toyAnswer(item))).toBe(toyKnows(item))
  })

  test('to a question about text is wrong where it is not known', () => {
    const items = sums(300).map((item): ToyItem => ({
      dataset: 'world_capitals',
      id: item.id,
      question: item.question,
      answers: ['Paris', 'paris'],
    }))
    for (const item of items) expect(toyAnswer(item) === 'Paris').toBe(toyKnows(item))
  })

  test('to a multiple-choice question is the gold choice exactly where it is known, and always one of the choices', () => {
    const choices = ['a', 'b', 'c']
    for (const { id, question } of sums(300)) {
      const item: ToyItem = { dataset: 'science_choice', id, question, choices, gold: 2 }
      expect(choices).toContain(toyAnswer(item))
      expect(toyAnswer(item) === 'c').toBe(toyKnows(item))
    }
  })
})

describe('askedIn', () => {
  const items = [...sums(200)]
  test.each([
    ['Q: What is 3 + 1?\nA:', 's-3'],
    ['Q: What is 3 + 1?\nA: 4\n\nQ: What is 150 + 1?\nA:', 's-150'],
    ['Hello', undefined],
    ['', undefined],
  ])('finds in %j the question %s', (prompt, id) => {
    expect(askedIn(items, prompt)?.item.id).toBe(id)
  })

  test('takes the longer of two questions that end together', () => {
    const short: ToyItem = { dataset: 'd', id: 'short', question: '2 + 2 =', answers: ['4'] }
    const long: ToyItem = { dataset: 'd', id: 'long', question: '12 + 2 =', answers: ['14'] }
    expect(askedIn([long, short], 'so 12 + 2 =')?.item.id).toBe('long')
    expect(askedIn([short, long], 'so 12 + 2 =')?.item.id).toBe('long')
    expect(askedIn([short, long], 'so 2 + 2 =')?.item.id).toBe('short')
  })
})

describe('replyTo', () => {
  const toys = toyAnswer(knownChoice)
  const others = knownChoice.choices.filter((choice) => choice !== toys)

  test.each([
    [`\nA. ${others[0]}\nB. ${toys}\nC. ${others[1]}\nAnswer:`, 'B'],
    [`\n(A) ${others[0]}\n(B) ${others[1]}\n(C) ${others[2]}\n(D) ${toys}\nAnswer:`, 'D'],
    [`\n  A) ${toys}  \n  B) ${others[0]}`, 'A'],
    ['\nAnswer:', toys],
  ])('to the choices %j is %s', (rest, reply) => {
    expect(replyTo(asked, knownChoice.question + rest)).toBe(reply)
  })

  test('reads no letters from the worked examples before the question', () => {
    const example = `Q: first?\nZ. ${toys}\n`
    const prompt = `${example}${knownChoice.question}\nA. ${toys}\n`
    expect(replyTo({ item: knownChoice, end: example.length + knownChoice.question.length }, prompt)).toBe('A')
  })
})

describe('proposedIn', () => {
  const propose = (rest: string) => proposedIn(asked, knownChoice.question + rest)

  test.each(knownChoice.choices)('finds the choice %s, also where another one ends with the same words', (choice) => {
    const start = `${knownChoice.question} Answer: `.length
    expect(propose(` Answer: ${choice}`)).toEqual({ start, isToys: choice === toyAnswer(knownChoice) })
  })

  test('finds the letter of a listed choice', () => {
    const listed = knownChoice.choices.map((choice, index) => `\n${'ABCD'[index]}. ${choice}`).join('')
    const verdicts = ['A', 'B', 'C', 'D'].map((letter) => propose(`${listed}\nAnswer: ${letter}`)?.isToys)
    expect(verdicts).toEqual(knownChoice.choices.map((choice) => choice === toyAnswer(knownChoice)))
  })

  test('finds nothing where nothing known is proposed', () => {
    expect(propose(' Answer: granite')).toBeUndefined()
    expect(propose(' Answer: A')).toBeUndefined()
  })
})
