/** What a run of short-adapter.sh wrote down. */
export type Line = {
  run: string
  attempt: number
  pid: number
  /** Port of the hub that launched it: each has its own. */
  hub: number
  what: 'begins' | 'second' | 'robbed' | 'acknowledged'
}

export type History = {
  /** Ids of the jobs that were to complete, and of those that were cancelled or deleted. */
  submitted: readonly string[]
  takenBack: readonly string[]
  /** What the database says: runs are named `job/index`. */
  jobs: readonly { id: string; state: string }[]
  runs: readonly { run: string; state: string; attempt: number; acc: number | null; isSettled: boolean }[]
  attempts: readonly { run: string; attempt: number; failureClass: string | null; isEnded: boolean }[]
  /** In order. */
  steps: readonly { run: string; state: string }[]
  queued: readonly string[]
  record: readonly Line[]
  /** Files of runs, below the folder of all jobs, and folders that hold none; the hub has ended. */
  files: readonly string[]
  /** Processes of adapters that live although the hub has ended. */
  alive: readonly number[]
}

/** The files of a run of short-adapter.sh. */
const FILES = ['short/run/jobrun.log', 'short/run/meta/job.json', 'short/run/own']
const RUNS_A_JOB = 3
const isTerminal = (state: string) => !['pending', 'running'].includes(state)
const jobOf = (run: string) => run.split('/')[0] ?? ''

/** Answers every sentence that is wrong about what became of jobs of three runs while their hub was killed time and again. */
export function checkLaunches(history: History): string[] {
  const { submitted, takenBack, jobs, runs, attempts, queued, record, alive } = history
  const backs = new Set(takenBack)
  const wrong: string[] = []
  const states = Map.groupBy(jobs, ({ id }) => id)
  for (const id of submitted) {
    const [state, ...more] = (states.get(id) ?? []).map((job) => job.state)
    if (more.length > 0) wrong.push(`job ${id} is there twice`)
    if (state !== 'completed') wrong.push(`job ${id} is ${state ?? 'lost'}`)
  }
  const known = new Set([...submitted, ...takenBack])
  wrong.push(...jobs.filter(({ id }) => !known.has(id)).map(({ id }) => `job ${id} was submitted by nobody`))
  const attemptsOf = Map.groupBy(attempts, ({ run }) => run)
  const stepsOf = Map.groupBy(history.steps, ({ run }) => run)
  const linesOf = Map.groupBy(record, ({ run }) => run)
  const runsOf = Map.groupBy(runs, ({ run }) => jobOf(run))
  for (const id of submitted) if (runsOf.get(id)?.length !== RUNS_A_JOB) wrong.push(`job ${id} has ${runsOf.get(id)?.length ?? 0} runs`)
  for (const { run, state, attempt, acc, isSettled } of runs) {
    const isKept = !backs.has(jobOf(run))
    if (!isTerminal(state) || !isSettled) wrong.push(`run ${run} has not ended: ${state}`)
    if (isKept && (state !== 'completed' || acc !== 0.75)) wrong.push(`run ${run} is ${state} with ${acc}`)
    wrong.push(
      ...judgeSteps(
        run,
        (stepsOf.get(run) ?? []).map((step) => step.state),
      ),
    )
    if (isKept) wrong.push(...judgeAttempts(run, attempt, attemptsOf.get(run) ?? []), ...judgeRecord(run, attempt, linesOf.get(run) ?? []))
  }
  for (const { run, what } of record) if (what === 'second') wrong.push(`run ${run} ran twice at once`)
  wrong.push(...queued.map((run) => `run ${run} is still queued`))
  wrong.push(...alive.map((pid) => `process ${pid} of an adapter still lives`))
  return [...wrong, ...judgeFiles(history)]
}

/** A run ends once, and what it ended as stays. */
function judgeSteps(run: string, states: readonly string[]): string[] {
  const ends = states.filter(isTerminal)
  return ends.length === 1 && isTerminal(states.at(-1) ?? '') ? [] : [`run ${run} went ${states.join(', ') || 'nowhere'}`]
}

/**
 * Nothing but a kill of the hub gives a run another attempt. Of an attempt whose adapter reported the end before the launch was recorded nobody knows
 * more, if the hub was killed in between.
 */
function judgeAttempts(run: string, last: number, attempts: readonly History['attempts'][number][]): string[] {
  const numbers = attempts.map(({ attempt }) => attempt).toSorted((one, other) => one - other)
  const wrong: string[] = []
  const all = Array.from({ length: last }, (_, at) => at + 1)
  if (numbers.join() !== all.join() && numbers.join() !== all.slice(0, -1).join())
    wrong.push(`run ${run} has attempts ${numbers.join()} of ${last}`)
  for (const { attempt, failureClass, isEnded } of attempts) {
    const expected = attempt === last ? null : 'hub_restarted'
    if (failureClass !== expected) wrong.push(`attempt ${attempt} of run ${run} ended as ${failureClass}`)
    if (!isEnded) wrong.push(`attempt ${attempt} of run ${run} is open`)
  }
  return wrong
}

function judgeRecord(run: string, last: number, lines: readonly Line[]): string[] {
  const begun = lines.filter(({ what }) => what === 'begins')
  const wrong: string[] = []
  if (!begun.some(({ attempt }) => attempt === last)) wrong.push(`attempt ${last} of run ${run} never began`)
  // A hub that was killed before it had recorded a launch leaves the attempt to the next one.
  if (new Set(begun.map(({ attempt, hub }) => `${attempt} ${hub}`)).size < begun.length)
    wrong.push(`one hub began an attempt of run ${run} twice`)
  if (lines.some(({ what }) => what === 'robbed')) wrong.push(`run ${run} lost its files while it ran`)
  return wrong
}

/** What ended by itself keeps its files, what was taken back has none, and nothing else is there. */
function judgeFiles({ runs, files }: History): string[] {
  const expected = runs.filter(({ state }) => state === 'completed').flatMap(({ run }) => FILES.map((file) => `${run}/${file}`))
  const [isExpected, isFound] = [new Set(expected), new Set(files)]
  return [
    ...expected.filter((file) => !isFound.has(file)).map((file) => `the file ${file} is gone`),
    ...files.filter((file) => !isExpected.has(file)).map((file) => `the file ${file} is left`),
  ]
}
