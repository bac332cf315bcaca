import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BenchmarkStatusEvent } from '../models/event.ts'
import { isTerminal, PHASES } from '../models/states.ts'
import { applyEvent, LAUNCH_WARNING, laterPhase, type RunProgress, type RunResult } from './apply-event.ts'
import type { RunSpec } from './run-spec.ts'

const NOW = '2026-11-23T12:00:00Z'

const spec: RunSpec = {
  provider_id: 'p',
  benchmark_id: 'b',
  runtime: {},
  from_catalogue: true,
  parameters: {},
  deadline_seconds: 60,
  primary_score: { metric: 'acc', source: 'provider' },
  threshold: { value: 0.5, source: 'provider' },
  weight: 1,
}

const pending: RunProgress = {
  state: 'pending',
  phase: null,
  progress: null,
  error_message: null,
  warning_message: null,
  started_at: null,
  completed_at: null,
  test: null,
  resolved_sha: null,
}
const running: RunProgress = {
  ...pending,
  state: 'running',
  phase: 'running_evaluation',
  progress: 0.5,
  started_at: '2026-11-23T11:00:00Z',
}

const event = (more: object) => BenchmarkStatusEvent.parse({ provider_id: 'p', id: 'b', status: 'running', ...more })
const apply = (run: RunProgress, more: object, own: Partial<RunSpec> = {}) =>
  applyEvent({ ...run, spec: { ...spec, ...own } }, event(more), NOW)

describe('applyEvent', () => {
  test.each<[string, RunProgress, object, Partial<RunProgress & RunResult>]>([
    ['the first event starts the run, now', pending, {}, { state: 'running', started_at: NOW, completed_at: null }],
    ['the adapter’s time counts', pending, { started_at: '2026-11-23T09:00:00Z' }, { started_at: '2026-11-23T09:00:00Z' }],
    ['pending starts nothing', pending, { status: 'pending' }, { state: 'pending', started_at: null }],
    ['a state does not go back', running, { status: 'pending' }, { state: 'running', started_at: running.started_at }],
    ['a phase does not go back', running, { phase: 'loading_data' }, { phase: 'running_evaluation' }],
    ['a later phase counts', running, { phase: 'post_processing' }, { phase: 'post_processing' }],
    ['what is not said stays', running, {}, { phase: 'running_evaluation', progress: 0.5 }],
    ['a later start changes nothing', running, { started_at: NOW }, { started_at: running.started_at }],
    ['metrics of a run under way are not kept', running, { metrics: { acc: 1 } }, { metrics: null, test: null }],
    [
      'an end without a start keeps the known one',
      running,
      { status: 'completed', metrics: { acc: 0.5 } },
      { state: 'completed', started_at: running.started_at, completed_at: NOW, progress: 1, phase: 'running_evaluation' },
    ],
    ['an end may come first', pending, { status: 'completed', completed_at: 'x' }, { state: 'completed', started_at: NOW }],
    ['a failure keeps how far it came', running, { status: 'failed' }, { state: 'failed', progress: 0.5, error_message: null }],
    [
      'a result is judged and kept',
      running,
      { status: 'completed', metrics: { acc: 0.75 }, artifacts: { a: 1 }, additional_info: { i: 1 }, mlflow_run_id: 'm', logs_path: 'l' },
      {
        metrics: { acc: 0.75 },
        test: { primary_score: 0.75, primary_score_metric: 'acc', threshold: 0.5, pass: true },
        artifacts: { a: 1 },
        additional_info: { i: 1 },
        mlflow_run_id: 'm',
        logs_path: 'l',
      },
    ],
    [
      'a failed run can carry a test',
      running,
      { status: 'failed', metrics: { acc: 0.1 } },
      { test: expect.objectContaining({ pass: false }) },
    ],
    ['a number is no text', running, { status: 'completed', metrics: { acc: '0.75' } }, { test: null }],
    [
      'a message without an origin is the runtime’s',
      running,
      { status: 'failed', error_message: { message: 'm', message_code: 'c' } },
      { error_message: { message: 'm', message_code: 'c', message_origin: 'runtime' } },
    ],
    [
      'neither the adapter’s warning nor ours takes the other’s place',
      running,
      { status: 'completed', warning_message: { message: 'm', message_code: 'c', message_origin: 'sdk' } },
      {
        warning_message: {
          message: expect.stringMatching(/^m\nThe primary metric 'acc' is not among/),
          message_code: 'several_warnings',
          message_origin: 'sdk',
        },
      },
    ],
    [
      'the adapter’s warning alone stays as it is',
      running,
      { status: 'completed', metrics: { acc: 1 }, warning_message: { message: 'm', message_code: 'c', message_origin: 'sdk' } },
      { warning_message: { message: 'm', message_code: 'c', message_origin: 'sdk' } },
    ],
    [
      'what was said at the launch stays before what the adapter says',
      { ...running, warning_message: { message: 'ours', message_code: LAUNCH_WARNING, message_origin: 'server' } },
      { status: 'completed', metrics: { acc: 1 }, warning_message: { message: 'm', message_code: 'c', message_origin: 'sdk' } },
      { warning_message: { message: 'ours\nm', message_code: LAUNCH_WARNING, message_origin: 'server' } },
    ],
    [
      'what was said at the launch stays, and what the adapter said last comes after it',
      { ...running, warning_message: { message: 'ours\nold\nolder', message_code: LAUNCH_WARNING, message_origin: 'server' } },
      { status: 'running', warning_message: { message: 'new', message_code: 'c' } },
      { warning_message: { message: 'ours\nnew', message_code: LAUNCH_WARNING, message_origin: 'server' } },
    ],
    [
      'what was said at the launch stays, also before one who speaks like the bridge',
      { ...running, warning_message: { message: 'ours\nm', message_code: LAUNCH_WARNING, message_origin: 'server' } },
      { status: 'completed', metrics: { acc: 1 }, warning_message: { message: 'all is well', message_code: LAUNCH_WARNING } },
      { warning_message: { message: 'ours\nall is well', message_code: LAUNCH_WARNING, message_origin: 'server' } },
    ],
    [
      'of a long message the beginning is kept, and no half of a character',
      running,
      { status: 'failed', error_message: { message: `${'x'.repeat(16 * 1024 - 1)}😀 and so on`, message_code: 'c'.repeat(20_000) } },
      {
        error_message: {
          message: `${'x'.repeat(16 * 1024 - 1)}\ufffd [cut off by EvalHub]`,
          message_code: `${'c'.repeat(16 * 1024)} [cut off by EvalHub]`,
          message_origin: 'runtime',
        },
      },
    ],
  ])('%s', (_, run, more, expected) => {
    const said = 'completed_at' in more ? { ...more, completed_at: '2026-11-23T13:00:00Z' } : more
    expect(apply(run, said)).toMatchObject(expected)
  })

  test('a warning about long names of metrics is short', () => {
    const warning = apply(running, { status: 'completed', metrics: { ['m'.repeat(1_000_000)]: 1 } })?.warning_message
    expect(warning?.message_code).toBe('primary_metric_missing')
    expect(warning?.message.length).toBeLessThan(17_000)
  })

  test.each(['completed', 'failed', 'cancelled'] as const)('a %s run stays as it ended', (state) => {
    for (const status of ['pending', 'running', 'completed', 'failed']) expect(apply({ ...running, state }, { status })).toBeUndefined()
  })

  test('a metric beyond 32 bits is judged by the largest number of 32 bits', () => {
    expect(apply(running, { status: 'completed', metrics: { acc: 1e39 } })?.test).toMatchObject({ primary_score: 3.4028235e38, pass: true })
  })

  test.each([
    ['abcdef1', 'abcdef1'],
    ['ABCDEF1234567890abcdef1234567890abcdef12', 'ABCDEF1234567890abcdef1234567890abcdef12'],
    ['abcdef', null],
    ['g'.repeat(40), null],
    ['a'.repeat(41), null],
  ])('the commit %s is kept as %s, once', (sha, kept) => {
    const job_meta = { resolved_sha: sha }
    const test_data_ref = { git: { url: 'https://github.com/a/b', ref: 'main' } }
    expect(apply(running, { job_meta }, { test_data_ref })?.resolved_sha).toBe(kept)
    expect(apply(running, { job_meta })?.resolved_sha).toBeNull()
    expect(apply({ ...running, resolved_sha: '1234567' }, { job_meta }, { test_data_ref })?.resolved_sha).toBe('1234567')
  })

  const anyEvent = fc.record({
    status: fc.constantFrom('pending', 'running', 'completed', 'failed'),
    phase: fc.option(fc.constantFrom(...PHASES), { nil: undefined }),
    progress: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  })

  // Guarantee: late, repeated and reordered events lose nothing.
  test('never moves a run back, whatever comes in whatever order', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 12 }), (events) => {
        let run = pending
        for (const more of events) {
          const after = apply(run, more)
          expect(after === undefined).toBe(isTerminal(run.state))
          if (!after) continue
          if (run.state === 'running') expect(after.state).not.toBe('pending')
          if (run.started_at !== null) expect(after.started_at).toBe(run.started_at)
          if (run.phase !== null) expect(PHASES.indexOf(after.phase!)).toBeGreaterThanOrEqual(PHASES.indexOf(run.phase))
          expect(after.completed_at !== null).toBe(isTerminal(after.state))
          run = after
        }
      }),
    )
  })

  test('a repeated event changes nothing more', () => {
    fc.assert(
      fc.property(anyEvent, (more) => {
        const once = apply(running, more)!
        expect(apply(once, more) ?? once).toEqual(once)
      }),
    )
  })
})

test.each([
  [null, null, null],
  [null, 'loading_data', 'loading_data'],
  ['loading_data', undefined, 'loading_data'],
  ['loading_data', 'initializing', 'loading_data'],
  ['loading_data', 'completed', 'completed'],
] as const)('of the phases %s and %s the later is %s', (now, said, later) => {
  expect(laterPhase(now, said)).toBe(later)
})
