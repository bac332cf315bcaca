import { describe, expect, test } from 'vitest'
import { checkLaunches, type History } from './launches/check-launches.ts'
import { sufferKills } from './launches/suffer-kills.ts'

// Guarantee: whatever runs of one job start, end, or are taken back at the same moment, each run ends once and by itself. `npm run stress` has the full dose, with kills.
test('12 jobs of three benchmarks complete side by side, and leave what they should', async () => {
  expect(await sufferKills({ jobs: 12, kills: 0, seed: 20261123, patienceMs: 100_000 })).toMatchObject({ wrong: [] })
})

const FILES = ['jobrun.log', 'meta/job.json', 'own'].flatMap((file) => [0, 1, 2].map((index) => `a/${index}/short/run/${file}`))
const line = (run: string, attempt = 1, hub = 80) => ({ run, attempt, pid: 7, hub, what: 'begins' as const })
const runs = ['a/0', 'a/1', 'a/2']

const good: History = {
  submitted: ['a'],
  takenBack: ['b'],
  jobs: [{ id: 'a', state: 'completed' }],
  runs: runs.map((run) => ({ run, state: 'completed', attempt: 1, acc: 0.75, isSettled: true })),
  attempts: runs.map((run) => ({ run, attempt: 1, failureClass: null, isEnded: true })),
  steps: runs.flatMap((run) => ['pending', 'running', 'completed'].map((state) => ({ run, state }))),
  queued: [],
  record: runs.map((run) => line(run)),
  files: FILES,
  alive: [],
}

const changed = <Key extends 'runs' | 'attempts'>(key: Key, more: Partial<History[Key][number]>) => ({
  ...good,
  [key]: good[key].map((entry, at) => (at === 0 ? { ...entry, ...more } : entry)),
})

describe('checkLaunches', () => {
  test('is content with what is right', () => {
    expect(checkLaunches(good)).toEqual([])
  })

  test.each<[string, History]>([
    ['job a is lost', { ...good, jobs: [] }],
    ['job a is there twice', { ...good, jobs: [...good.jobs, ...good.jobs] }],
    ['job a is partially_failed', { ...good, jobs: [{ id: 'a', state: 'partially_failed' }] }],
    ['job c was submitted by nobody', { ...good, jobs: [...good.jobs, { id: 'c', state: 'completed' }] }],
    ['job a has 2 runs', { ...good, runs: good.runs.slice(1), files: FILES.filter((file) => !file.startsWith('a/0')) }],
    [
      'run a/0 is failed with null',
      { ...changed('runs', { state: 'failed', acc: null }), files: FILES.filter((file) => !file.startsWith('a/0')) },
    ],
    ['run a/0 has not ended: completed', changed('runs', { isSettled: false })],
    [
      'run a/0 went pending, completed, failed',
      {
        ...good,
        steps: [
          ...good.steps.filter(({ run, state }) => run !== 'a/0' || state === 'pending'),
          { run: 'a/0', state: 'completed' },
          { run: 'a/0', state: 'failed' },
        ],
      },
    ],
    [
      'run a/0 has attempts 1 of 3',
      { ...changed('runs', { attempt: 3 }), attempts: good.attempts, record: [...good.record, line('a/0', 3)] },
    ],
    ['attempt 1 of run a/0 ended as adapter_failed', changed('attempts', { failureClass: 'adapter_failed' })],
    ['attempt 1 of run a/0 is open', changed('attempts', { isEnded: false })],
    ['attempt 1 of run a/0 never began', { ...good, record: good.record.slice(1) }],
    ['one hub began an attempt of run a/0 twice', { ...good, record: [...good.record, line('a/0')] }],
    ['run a/0 ran twice at once', { ...good, record: [...good.record, { ...line('a/0'), what: 'second' }] }],
    ['run a/0 lost its files while it ran', { ...good, record: [...good.record, { ...line('a/0'), what: 'robbed' }] }],
    ['run a/0 is still queued', { ...good, queued: ['a/0'] }],
    ['process 7 of an adapter still lives', { ...good, alive: [7] }],
    ['the file a/0/short/run/jobrun.log is gone', { ...good, files: FILES.slice(1) }],
    ['the file b/1 is left', { ...good, files: [...FILES, 'b/1'] }],
  ])('says: %s', (sentence, history) => {
    expect(checkLaunches(history)).toContain(sentence)
  })

  test('lets a hub that was killed begin an attempt, and the next one begin it again', () => {
    expect(checkLaunches({ ...good, record: [...good.record, line('a/0', 1, 81)] })).toEqual([])
  })
})
