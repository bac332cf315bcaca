import { describe, expect, test } from 'vitest'
import type { UnsettledRun } from '#db/queries/unsettled-runs.ts'
import { plan, type Picture } from './plan.ts'
import type { LaunchedObject } from './runtime.ts'

const key = { evaluationId: 'job', benchmarkIndex: 0, attempt: 1 }
const launch = { holder: 'me', objectUid: 'pid:1', secondsAgo: 5 }
const outcome = { failureClass: 'adapter_exit', message: 'words', exitCode: 7 }

const run = (changes: Partial<UnsettledRun> = {}): UnsettledRun => ({
  ...key,
  providerId: 'provider',
  benchmarkId: 'benchmark',
  state: 'running',
  isDeleted: false,
  deadlineSeconds: 100,
  secretRef: null,
  finishedSecondsAgo: null,
  launch,
  ...changes,
})
const ended = (state: UnsettledRun['state'], finishedSecondsAgo = 0) => ({ state, finishedSecondsAgo })

const object = (changes: Partial<LaunchedObject> = {}): LaunchedObject => ({ ...key, objectUid: 'pid:1', launchedAtMs: 15_000, ...changes })
const exited = (secondsAgo: number, reportGraceMs: number) => ({ end: { atMs: 20_000 - secondsAgo * 1000, outcome, reportGraceMs } })

/** What is done, in the order of the plan. */
const done = (picture: Partial<Picture>) =>
  plan({ runs: [], objects: [], leftovers: new Set(), holder: 'me', startedAtMs: 0, nowMs: 20_000, ...picture }).map((action) => action.do)

const gone = { holder: 'earlier', objectUid: 'pid:9', secondsAgo: 60 }
const other = { holder: 'other', objectUid: 'pid:9', secondsAgo: 5 }

describe('plan', () => {
  test.each<[string, UnsettledRun, LaunchedObject | undefined, string[]]>([
    ['lets a run go on', run(), object(), []],
    ['lets a run that has said nothing yet go on', run({ state: 'pending' }), object(), []],
    ['fails a run whose adapter ended badly, at once', run(), object(exited(0, 0)), ['fail']],
    ['waits for the report of an adapter that ended well', run(), object(exited(4.9, 5000)), []],
    ['fails a run whose report did not come', run(), object(exited(5, 5000)), ['fail']],
    ['fails a run at its deadline', run({ deadlineSeconds: 5 }), object(), ['fail']],
    ['lets a run go on until its deadline', run({ deadlineSeconds: 6 }), object(), []],
    ['ends what was cancelled at once', run(ended('cancelled')), object(), ['end']],
    ['ends what was deleted at once', run({ ...ended('completed'), isDeleted: true }), object(), ['end']],
    ['ends what is beyond its deadline at once', run({ ...ended('failed'), deadlineSeconds: 5 }), object(), ['end']],
    ['lets an adapter that has reported leave', run(ended('completed', 9.9)), object(), []],
    ['ends an adapter that does not leave', run(ended('completed', 10)), object(), ['end']],
    ['ends an adapter that does not leave after a failure', run(ended('failed', 10)), object(), ['end']],
    ['settles a run when its adapter is gone', run(ended('completed')), object(exited(0, 5000)), ['settle']],
    ['settles a run that was never launched', run({ ...ended('cancelled'), launch: null }), undefined, ['settle']],
    ['settles a run that was refused', run({ ...ended('failed'), launch: { ...gone, holder: '' } }), undefined, ['settle']],
    [
      'settles a run that had ended before its launch was recorded',
      run({ ...ended('completed'), launch: null }),
      object(exited(0, 0)),
      ['settle'],
    ],
    ['leaves a run alone that waits in the queue', run({ state: 'pending', launch: null }), undefined, []],
    ['launches a run again that an earlier bridge has lost', run({ launch: gone }), undefined, ['retry']],
    ['settles an ended run that an earlier bridge launched', run({ ...ended('completed'), launch: gone }), undefined, ['settle']],
    ['leaves a run to the living bridge that launched it', run({ launch: other }), undefined, []],
    ['leaves an ended run to the living bridge that launched it', run({ ...ended('cancelled'), launch: other }), undefined, []],
    ['ends what was launched without being recorded', run({ launch: null }), object(), ['end']],
    ['ends what another bridge has launched too', run({ launch: other }), object(), ['end']],
    ['ends an attempt that is no more the present one', run({ attempt: 2, launch: null }), object(), ['end']],
    [
      'forgets an attempt that is no more the present one, once it is gone',
      run({ attempt: 2, launch: null }),
      object(exited(0, 0)),
      ['release'],
    ],
  ])('%s', (_, picturedRun, picturedObject, actions) => {
    expect(done({ runs: [picturedRun], objects: picturedObject ? [picturedObject] : [] })).toEqual(actions)
  })

  test('ends what belongs to no run, and forgets it when it is gone', () => {
    expect(done({ objects: [object()] })).toEqual(['end'])
    expect(done({ objects: [object(exited(0, 0))] })).toEqual(['release'])
  })

  // The guarantee that no run runs twice: the processes of a killed hub may take a moment to die.
  test.each([
    [4_999, []],
    [5_000, ['retry']],
  ])('waits for what an earlier bridge left, but not for ever (%i ms after the start)', (nowMs, actions) => {
    const runs = [run({ launch: gone })]

    expect(done({ runs, leftovers: new Set(['pid:9']), nowMs })).toEqual(actions)
  })

  test('says which limit was passed and how to raise it', () => {
    const runs = [run({ deadlineSeconds: 5 })]
    const picture = { runs, objects: [object()], leftovers: new Set<string>(), holder: 'me', startedAtMs: 0, nowMs: 20_000 }

    expect(plan(picture)).toMatchObject([
      { end: { failureClass: 'deadline', message: expect.stringMatching(/limit of 5 s.*timeout_seconds/) } },
    ])
  })
})
