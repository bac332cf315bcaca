import { describe, expect, test } from 'vitest'
import { NoLogError, normalTime, readLines, timeOf, type LinePart } from './log-lines.ts'

const at = (second: number) => `2026-11-25T18:00:0${second}.000000000Z`

async function* chunksOf(text: string | Buffer, size: number) {
  const bytes = Buffer.from(text)
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

const read = async (text: string, { size = 7, isWhole = false } = {}) => {
  const parts: LinePart[] = []
  for await (const part of readLines(chunksOf(text, size), { isWhole })) parts.push({ ...part, text: Buffer.from(part.text) })
  return parts
}

describe('readLines', () => {
  test.each([1, 7, 1000])('gives lines with their times, in chunks of %i bytes too', async (size) => {
    const parts = await read(`${at(1)} one\n${at(2)} \n${at(3)}\n${at(4)} zwölf  \n`, { size })

    expect(parts.map(({ time, text, isStart, isEnd }) => [time, text.toString(), isStart, isEnd])).toEqual([
      [at(1), 'one', true, true],
      [at(2), '', true, true],
      [at(3), '', true, true],
      [at(4), 'zwölf  ', true, true],
    ])
  })

  test('leaves out what a cut answer ends with, and keeps it of a whole one', async () => {
    expect(await read(`${at(1)} one\n${at(2)} tw`)).toHaveLength(1)
    expect((await read(`${at(1)} one\n${at(2)} tw`, { isWhole: true })).at(-1)).toMatchObject({ time: at(2), isEnd: true })
  })

  test('holds no more of a long line than it must', async () => {
    const long = 'x'.repeat(1_000_000)
    const parts = await read(`${at(1)} ${long}\n${at(2)} next\n`, { size: 10_000 })

    expect(parts.length).toBeGreaterThan(10)
    expect(Math.max(...parts.map(({ text }) => text.length))).toBeLessThan(80_000)
    expect(
      parts
        .slice(0, -1)
        .map(({ text }) => text)
        .join(''),
    ).toBe(long)
    expect(parts.map(({ isStart }) => isStart)).toEqual(parts.map((_, index) => index === 0 || index === parts.length - 1))
    expect(parts.map(({ isEnd }) => isEnd)).toEqual(parts.map((_, index) => index >= parts.length - 2))
    expect(parts.slice(0, -1).every(({ time }) => time === at(1))).toBe(true)
  })

  test('takes what has no time for what it is: words of the node', async () => {
    await expect(read('unable to retrieve container logs for containerd://1\n')).rejects.toThrow(NoLogError)
  })
})

describe('normalTime', () => {
  test.each([
    ['2026-11-25T18:00:00Z', '2026-11-25T18:00:00.000000000Z'],
    ['2026-11-25T18:00:00.5Z', '2026-11-25T18:00:00.500000000Z'],
    ['2026-11-25T18:00:00.123456789Z', '2026-11-25T18:00:00.123456789Z'],
    ['2026-11-25T19:30:00.123456789+01:30', '2026-11-25T18:00:00.123456789Z'],
    ['2026-11-25 18:00:00Z', undefined],
    ['2026-13-25T18:00:00Z', undefined],
    ['yesterday', undefined],
  ])('%s is %s', (text, time) => {
    expect(normalTime(text)).toBe(time)
  })

  test('orders what comes from milliseconds too', () => {
    expect(timeOf(Date.UTC(2026, 10, 25, 18, 0, 0, 5))).toBe('2026-11-25T18:00:00.005000000Z')
  })
})
