import { describe, expect, test } from 'vitest'
import { isRunToken, makeRunToken, readRunToken } from './run-token.ts'

const KEY = 'a key of at least thirty-two bytes'
const RUN = { evaluationId: '01890000-0000-7000-8000-00000000000a', benchmarkIndex: 3, attempt: 2 }

describe('a run token', () => {
  test('is the same at every making, and names its run and attempt', async () => {
    const token = await makeRunToken(KEY, RUN)
    expect(token).toMatch(/^evalhub-run\.3\.2\.[0-9a-f]{64}$/)
    expect(await makeRunToken(KEY, { ...RUN })).toBe(token)
    expect(await readRunToken(KEY, RUN.evaluationId, token)).toEqual(RUN)
    expect(isRunToken(token)).toBe(true)
  })

  test('is the same for an id in capitals, which names the same job', async () => {
    const token = await makeRunToken(KEY, RUN)
    expect(await readRunToken(KEY, RUN.evaluationId.toUpperCase(), token)).toMatchObject({ benchmarkIndex: 3, attempt: 2 })
  })

  // 31 and 2 must not read as 3 and 12.
  test('cannot be read as that of another run', async () => {
    const made = await Promise.all(
      [
        [31, 2],
        [3, 12],
        [3, 2],
        [2, 3],
      ].map(([benchmarkIndex = 0, attempt = 0]) => makeRunToken(KEY, { ...RUN, benchmarkIndex, attempt })),
    )
    expect(new Set(made.map((token) => token.split('.')[3])).size).toBe(4)
  })

  test.for([
    ['of another job', (token: string) => [KEY, '01890000-0000-7000-8000-00000000000b', token]],
    ['of another key', (token: string) => ['another key of thirty-two bytes ..', RUN.evaluationId, token]],
    ['for another index', (token: string) => [KEY, RUN.evaluationId, token.replace('.3.', '.4.')]],
    ['for the next attempt', (token: string) => [KEY, RUN.evaluationId, token.replace('.2.', '.3.')]],
    ['with a changed digit', (token: string) => [KEY, RUN.evaluationId, token.slice(0, -1) + (token.endsWith('0') ? '1' : '0')]],
    ['cut short', (token: string) => [KEY, RUN.evaluationId, token.slice(0, -2)]],
    ['with more at its end', (token: string) => [KEY, RUN.evaluationId, `${token}00`]],
    ['with a leading zero', (token: string) => [KEY, RUN.evaluationId, token.replace('.3.', '.03.')]],
    ['that is only its name', () => [KEY, RUN.evaluationId, 'evalhub-run.']],
  ] as [string, (token: string) => [string, string, string]][])('%s is none', async ([, changed]) => {
    expect(await readRunToken(...changed(await makeRunToken(KEY, RUN)))).toBeUndefined()
  })

  test('is not taken for what an issuer signs', () => {
    expect(isRunToken('eyJhbGciOiJSUzI1NiJ9.e30.c2ln')).toBe(false)
  })
})
