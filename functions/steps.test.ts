// First, so that it sees everything.
import { stepsOf } from './test-steps.ts'
import { gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { test as base } from '#db/test-db.ts'
import { createApp } from './app.ts'
import { dose } from '../test/dose.ts'
import { callOn, optionsOn } from './test-app.ts'
import { logStream, type ReadPieces } from './log-stream.ts'
import { WORST_BODIES, type Call, type Worst } from './test-worst-bodies.ts'
import { WORST_LOGS, type WorstLog } from './test-worst-logs.ts'

const test = base.extend('call', async ({ db, tenant }) => {
  const options = await optionsOn(db, { mode: 'none' })
  return callOn(createApp({ ...options, maxBodyBytes: 10 * 1024 * 1024 }), { 'X-Tenant': tenant, 'X-User': 'ann' })
})

/** Steps for each character of what was sent, what it is about, and what is answered. A list's item of two characters takes a hundred. */
const STEPS_PER_CHARACTER = 64
/** Steps of a request that asks for nothing, its first time. */
const STEPS_AT_LEAST = 60_000
/** Of the longest refusal, which tells of several things that are wrong, and not of all. */
const REFUSAL_CHARACTERS = 6000
/** Twice as much may take twice as many steps, and some more. */
const GROWTH = 2.3

async function measure(call: Call, { prepare }: Worst, share: number) {
  const { method, path, body, status, stored } = await prepare(call, share)
  const { steps, value } = await stepsOf(() => call(method, path, body))
  return { steps, characters: body.length + stored.length + value.text.length, answer: value, status }
}

describe('the work of a request is in proportion to what was sent, whatever was sent', () => {
  test.for(WORST_BODIES.map((worst) => [worst.name, worst] as const))('%s', { timeout: 60_000 }, async ([, worst], { call }) => {
    const half = await measure(call, worst, dose(0.3, 0.5))
    const whole = await measure(call, worst, dose(0.6, 1))
    expect(whole.answer.status).toBe(whole.status)
    expect(whole.steps).toBeLessThan(STEPS_AT_LEAST + STEPS_PER_CHARACTER * whole.characters)
    expect(whole.steps).toBeLessThan(STEPS_AT_LEAST + GROWTH * half.steps)
    if (whole.status >= 400) expect(whole.answer.text.length).toBeLessThan(REFUSAL_CHARACTERS)
  })
})

/** A byte is looked at, shown, and counted where it ends a line, which may be a line of its own. */
const STEPS_PER_SHOWN_BYTE = 16

async function show({ text, times, timestamps }: WorstLog): Promise<number> {
  const piece = { seq: 0, chunk: gzipSync(text), times, last_at: '2026-11-23T12:00:00Z', since: null, start_byte: null, missing: 0 }
  const read: ReadPieces = ({ after }) => Promise.resolve(after < 0 ? [piece] : [])
  let bytes = 0
  for await (const part of logStream(read, { tail: -1, timestamps })) bytes += part.length
  return bytes
}

// How much is shown in a turn of the event loop is counted in `log-stream.test.ts`.
describe('the work of showing a log is in proportion to what is shown, whatever is in it', () => {
  test.for(WORST_LOGS.map((log) => [log.name, log] as const))('%s', async ([, log]) => {
    const { steps, value: bytes } = await stepsOf(() => show(log))
    expect(steps).toBeLessThan(STEPS_PER_SHOWN_BYTE * bytes)
  })
})
