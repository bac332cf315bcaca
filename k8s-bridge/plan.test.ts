import { describe, expect, test } from 'vitest'
import type { UnsettledRun } from '#db/queries/unsettled-runs.ts'
import { plan, type Action, type Picture } from './plan.ts'
import type { LaunchedObject, RunEnd } from './runtime.ts'

const key = { evaluationId: 'job', benchmarkIndex: 0, attempt: 1 }
const launch = { holder: 'me', objectUid: 'pid:1', secondsAgo: 5, startedSecondsAgo: 5 }
const outcome: RunEnd = { failureClass: 'adapter_exit', message: 'words', exitCode: 7 }
const lost: RunEnd = { failureClass: 'vanished', message: 'It is gone.' }
const started = { atMs: 15_000, node: 'n', resources: {} }

const run = (changes: Partial<UnsettledRun> = {}): UnsettledRun => ({
  ...key,
  providerId: 'provider',
  benchmarkId: 'benchmark',
  state: 'running',
  isDeleted: false,
  deadlineSeconds: 100,
  secretRef: null,
  tenant: 'red',
  waiting: null,
  test: null,
  finishedSecondsAgo: null,
  launch,
  ...changes,
})
const ended = (state: UnsettledRun['state'], finishedSecondsAgo = 0) => ({ state, finishedSecondsAgo })

const object = (changes: Partial<LaunchedObject> = {}): LaunchedObject => ({
  ...key,
  objectUid: 'pid:1',
  launchedAtMs: 14_000,
  started,
  ...changes,
})
const exited = (secondsAgo: number, reportGraceMs: number) => ({
  end: { atMs: 20_000 - secondsAgo * 1000, outcome, isDisrupted: false, reportGraceMs },
})

/** What is done, in the order of the plan. */
const done = (picture: Partial<Picture>) => planned(picture).map((action) => action.do)
const planned = (picture: Partial<Picture>) => plan({ runs: [], objects: [], nowMs: 20_000, runtime, ...picture })
const runtime: Picture['runtime'] = {
  leaveMs: 10_000,
  deadlineSlackMs: 0,
  absence: ({ launch: of }) => (of?.holder === 'other' ? 'unknown' : lost),
}

const gone = { holder: 'earlier', objectUid: 'pid:9', secondsAgo: 60, startedSecondsAgo: 50 }
const other = { holder: 'other', objectUid: 'pid:9', secondsAgo: 5, startedSecondsAgo: 5 }

const waits = (): LaunchedObject => {
  const { started: _, ...waiting } = object({ waiting: { kind: 'quota', message: 'No room.', limitSeconds: 3600 } })
  return waiting
}
const waited = (sinceSecondsAgo: number) => ({ kind: 'quota', message: 'No room.', sinceSecondsAgo })
const STARTING = 'The adapter has been started and has not reported yet.'
const verdict = { primary_score: 0.1, primary_score_metric: 'acc', threshold: 0.5, pass: true }

// It used to be taken for one that is just over, for as long as the clock was behind.
test('an end that lies ahead by a clock that is behind is an end', () => {
  expect(done({ runs: [run()], objects: [object(exited(-3600, 0))] })).toEqual(['conclude'])
})

describe('plan', () => {
  test.each<[string, UnsettledRun, LaunchedObject | undefined, string[]]>([
    ['lets a run go on', run(), object(), []],
    [
      'lets a run that has said nothing yet go on',
      run({ state: 'pending', waiting: { kind: 'starting', message: STARTING, sinceSecondsAgo: 9 } }),
      object(),
      [],
    ],
    ['fails a run whose adapter ended badly, at once', run(), object(exited(0, 0)), ['conclude']],
    ['waits for the report of an adapter that ended well', run(), object(exited(4.9, 5000)), []],
    ['fails a run whose report did not come', run(), object(exited(5, 5000)), ['conclude']],
    ['fails a run at its deadline', run({ deadlineSeconds: 5 }), object(), ['conclude']],
    ['lets a run go on until its deadline', run({ deadlineSeconds: 6 }), object(), []],
    ['ends what was cancelled at once', run(ended('cancelled')), object(), ['end']],
    ['ends what was deleted at once', run({ ...ended('completed'), isDeleted: true }), object(), ['end']],
    ['ends what is beyond its deadline at once', run({ ...ended('failed'), deadlineSeconds: 5 }), object(), ['end']],
    ['lets an adapter that has reported leave', run(ended('completed', 9.9)), object(), []],
    ['ends an adapter that does not leave', run(ended('completed', 10)), object(), ['end']],
    ['ends an adapter that does not leave after a failure', run(ended('failed', 10)), object(), ['end']],
    ['ends at once what never started', run(ended('failed')), waits(), ['end']],
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
    ['launches a run again that an earlier bridge has lost', run({ launch: gone }), undefined, ['conclude']],
    ['settles an ended run that an earlier bridge launched', run({ ...ended('completed'), launch: gone }), undefined, ['settle']],
    ['leaves a run to the living bridge that launched it', run({ launch: other }), undefined, []],
    ['leaves an ended run to the living bridge that launched it', run({ ...ended('cancelled'), launch: other }), undefined, []],
    ['leaves alone what is about to be recorded', run({ launch: null }), object(), []],
    [
      'takes an attempt that has reported before it was recorded for its own',
      run({ launch: { ...launch, holder: '', objectUid: null } }),
      object(exited(0, 0)),
      ['conclude'],
    ],
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

  test.each<[string, UnsettledRun, LaunchedObject | undefined, Partial<Action>[]]>([
    [
      'notes when an attempt is on a machine',
      run({ launch: { ...launch, startedSecondsAgo: null } }),
      object(),
      [{ do: 'note start', started: { ...key, node: 'n', resources: {}, startedSecondsAgo: 5 } }],
    ],
    [
      'says that an adapter has been started',
      run({ state: 'pending' }),
      object(),
      [{ do: 'note waiting', waiting: { ...key, waiting: { kind: 'starting', message: expect.stringContaining('not reported yet') } } }],
    ],
    [
      'says what an attempt waits for',
      run({ state: 'pending' }),
      waits(),
      [{ do: 'note waiting', waiting: { ...key, waiting: { kind: 'quota', message: 'No room.' } } }],
    ],
    ['says it once', run({ state: 'pending', waiting: waited(5) }), waits(), []],
    [
      'fails a run that has waited long enough',
      run({ state: 'pending', waiting: waited(3600) }),
      waits(),
      [{ do: 'conclude', isLost: false, end: { failureClass: 'quota', message: 'No room. EvalHub waited 1 h for that to change.' } }],
    ],
    [
      'begins to count anew when the reason is another',
      run({ state: 'pending', waiting: { ...waited(3600), kind: 'image_pull' } }),
      waits(),
      [{ do: 'note waiting' }],
    ],
    ['marks what runs', run(), object({ mark: 'Pending' }), [{ do: 'mark', mark: 'Running' }]],
    [
      'never marks backwards',
      run({ state: 'pending', waiting: { kind: 'starting', message: STARTING, sinceSecondsAgo: 1 } }),
      object({ mark: 'Running' }),
      [],
    ],
    [
      'marks a result below its threshold',
      run({ ...ended('completed'), test: { ...verdict, pass: false } }),
      object({ mark: 'Running' }),
      [{ do: 'mark', mark: 'ThresholdViolated' }],
    ],
    ['takes for lost only what is not seen', run({ launch: gone }), undefined, [{ do: 'conclude', isLost: true }]],
    [
      'says that the platform took an attempt away',
      run(),
      object({ end: { ...exited(0, 0).end, isDisrupted: true } }),
      [{ do: 'conclude', isDisrupted: true }],
    ],
    ['ends what has the name of what was launched, and is not it', run({ launch: { ...gone, holder: 'me' } }), object(), [{ do: 'end' }]],
  ])('%s', (_, picturedRun, picturedObject, actions) => {
    expect(planned({ runs: [picturedRun], objects: picturedObject ? [picturedObject] : [] })).toMatchObject(actions)
  })

  test('leaves alone what is settled and stays for people to look at', () => {
    expect(done({ objects: [object({ ...exited(0, 0), isSealed: true })] })).toEqual([])
  })

  test('keeps the evidence of an earlier attempt, and none of what belongs to no run', () => {
    const gone = object(exited(0, 0))
    expect(planned({ runs: [run({ attempt: 2, launch: null })], objects: [gone] })).toMatchObject([{ do: 'release', isKept: true }])
    expect(planned({ objects: [gone] })).toMatchObject([{ do: 'release', isKept: false }])
  })

  // Guarantee: a cluster that cannot be asked for hours keeps no run from its end.
  test.each([
    [100, []],
    [1001, ['conclude']],
  ])('ends, without seeing the runtime, only what is far beyond its deadline (%i s)', (startedSecondsAgo, actions) => {
    const runs = [run({ launch: { ...launch, startedSecondsAgo } }), run({ ...ended('cancelled') })]
    expect(done({ runs, objects: undefined, runtime: { ...runtime, deadlineSlackMs: 900_000 } })).toEqual(actions)
  })

  // Guarantee: what an adapter reports until its deadline, and its sidecar still holds, is asked for before the run fails of it.
  test.each<[number, Partial<Action>[]]>([
    [99, []],
    [100, [{ do: 'end', toBeSeen: true }]],
    [1000, [{ do: 'conclude' }]],
  ])('ends first what runs beyond its deadline, and the run a while later (%i s)', (startedSecondsAgo, actions) => {
    const runs = [run({ launch: { ...launch, startedSecondsAgo } })]
    expect(planned({ runs, objects: [object()], runtime: { ...runtime, deadlineSlackMs: 900_000 } })).toMatchObject(actions)
  })

  test('says which limit was passed and how to raise it', () => {
    const runs = [run({ deadlineSeconds: 5 })]

    expect(planned({ runs, objects: [object()] })).toMatchObject([
      { end: { failureClass: 'deadline', message: expect.stringMatching(/limit of 5 s.*timeout_seconds/) } },
    ])
  })
})
