import { describe, expect, vi } from 'vitest'
import { cancelEvaluation } from '#db/commands/cancel-evaluation.ts'
import { specFor, submitSpecs } from '#db/test-evaluation.ts'
import { createLog } from '#shared/log.ts'
import { createRunLog } from './run-log.ts'
import { report, runBecomes, test as base } from './test-bridge.ts'

const NOW = new Date('2026-11-23T12:00:00Z')
const EVERYBODY = { tenant: '', user: '', everyTenant: true }

const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('lines', async ({}): Promise<string[]> => [])
  .extend('runLog', async ({ lines }) => createRunLog(createLog({ write: (line) => void lines.push(line), now: () => NOW })))

/** What was said of a job, once it is so much. */
const saidOf = (lines: string[], id: string, length: number) =>
  vi.waitFor(
    () => {
      const own = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ evaluation_id }) => evaluation_id === id)
      expect(own.map(({ message }) => message)).toHaveLength(length)
      return own.map(({ time: _t, level: _l, evaluation_id: _e, object_uid: _o, ...rest }) => rest)
    },
    { timeout: 10_000, interval: 20 },
  )

// Guarantee: who reads the log of the bridge can tell of each run when it was launched, and when and why it ended.
describe('the log of a bridge', () => {
  test('has a line for each launch and each end, with the class of a failure and without its words', async ({
    db,
    start,
    lines,
    runLog,
  }) => {
    await start({ runLog })
    const failed = await submitSpecs(db, [specFor('echo secret-word; exit 3')])
    const completed = await submitSpecs(db, [specFor('exec sleep 60')])
    await runBecomes(db, completed, { queued: 0 })
    await report(db, completed, { status: 'completed', metrics: { acc: 1 } })
    const run = { benchmark_index: 0, attempt: 1 }
    expect(await saidOf(lines, failed, 2)).toEqual([
      { message: 'launched', ...run },
      { message: 'ended', ...run, state: 'failed', failure_class: 'adapter_exit', exit_code: 3 },
    ])
    const cancelled = await submitSpecs(db, [specFor('exec sleep 60')])
    await runBecomes(db, cancelled, { queued: 0 })
    await cancelEvaluation(db, EVERYBODY, cancelled, NOW.toISOString())
    expect(await saidOf(lines, cancelled, 2)).toMatchObject([{ message: 'launched' }, { message: 'ended', state: 'cancelled' }])
    expect(lines.join()).not.toContain('secret-word')
    expect(lines.every((line) => /"object_uid":|"message":"ended"/.test(line))).toBe(true)
  })

  test('has one for an attempt that another one follows', async ({ db, start, lines, runLog }) => {
    const first = await start({ runLog })
    const id = await submitSpecs(db, [specFor('exec sleep 60')])
    await saidOf(lines, id, 1)
    await first.stop()
    await start({ runLog })
    expect(await saidOf(lines, id, 3)).toEqual([
      { message: 'launched', benchmark_index: 0, attempt: 1 },
      { message: 'attempt failed, another one follows', benchmark_index: 0, attempt: 1, failure_class: 'hub_restarted' },
      { message: 'launched', benchmark_index: 0, attempt: 2 },
    ])
  })

  test('has the end of a run that could never be launched', async ({ db, start, lines, runLog }) => {
    await start({ runLog })
    const id = await submitSpecs(db, [specFor('true', { runtime: {} })])
    expect(await saidOf(lines, id, 1)).toEqual([
      { message: 'ended', benchmark_index: 0, attempt: 1, state: 'failed', failure_class: 'local_runtime_not_enabled' },
    ])
  })
})
