import { mkdtemp, open, readFile, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startStages } from './stages.ts'

let folder: string
let log: FileHandle
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evalhub-stages-'))
  log = await open(join(folder, 'log'), 'ax+')
})
afterEach(async () => {
  await log.close()
  await rm(folder, { recursive: true })
})

const of = (command: string) => ({
  command,
  environment: { PATH: process.env.PATH ?? '' },
  output: log.fd,
  mark: folder,
  onError: () => {},
})
const written = () => readFile(join(folder, 'log'), 'utf8')

describe('startStages', () => {
  test('runs one after the other, with what is between, and ends as the second', async () => {
    const between = async () => void (await log.write('between\n'))
    const stages = await startStages(of('echo first'), between, of('echo second; exit 3'))
    expect(await stages.ended).toEqual({ code: 3, signal: null })
    expect([await written(), stages.isFirst()]).toEqual(['first\nbetween\nsecond\n', false])
  })

  test('does not start the second if the first fails', async () => {
    const stages = await startStages(of('exit 4'), async () => {}, of('echo second'))
    expect(await stages.ended).toEqual({ code: 4, signal: null })
    expect([await written(), stages.isFirst()]).toEqual(['', true])
  })

  // Guarantee: nobody is told to check their test data since their adapter cannot be started.
  test('of a second that cannot be started, says 127, and not that the first failed', async () => {
    const stages = await startStages(of('true'), async () => {}, of('x\0'))
    expect([await stages.ended, stages.isFirst()]).toEqual([{ code: 127, signal: null }, false])
  })

  // Guarantee: a job that is cancelled at any moment starts no adapter any more.
  test.each([0, 100])('does not start the second once it was ended, with %i ms of grace', async (graceMs) => {
    const stages = await startStages(of(`trap 'exit 0' TERM; while :; do sleep 0.01; done`), async () => {}, of('echo second'))
    stages.end(graceMs)
    expect((await stages.ended).code).not.toBe(0)
    expect(await written()).not.toContain('second')
    const between = await startStages(of('true'), async () => between.end(graceMs), of('echo second'))
    expect((await between.ended).code).not.toBe(0)
    expect(await written()).not.toContain('second')
  })
})
