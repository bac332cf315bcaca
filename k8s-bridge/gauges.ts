import { setTimeout as delay } from 'node:timers/promises'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Db } from '#db/client.ts'
import { listAttemptEnds, listLaunchWaits, nextSpan, readStandings, type AttemptEnd, type Standings } from '#db/queries/gauges.ts'
import { EVALUATION_STATES, isTerminal } from '#shared/models/states.ts'

type Options = {
  registry: Registry
  db: Db
  /** What runs are launched with: `kubernetes` or `local`. */
  runtime: string
}

/** Longer than any transaction that launches or ends an attempt is open. */
const LAG_SECONDS = 10

const WAIT_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400]
const DURATION_SECONDS = [1, 5, 15, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400]

/** Scrapes that come sooner see what the last one saw: anybody may scrape. */
const FRESH_MS = 5000

/** A scrape waits no longer for the database. */
const WAIT_MS = 2000

/**
 * Metrics of jobs and runs in all tenants, from the database: every bridge shows the same, so they are to be read by `max`, never by `sum`.
 *
 * What is counted of attempts begins with this process, and is 10 seconds late. Answers what brings them up to date, which a scrape does first:
 * if the database does not answer, they stay as they were, and `evalhub_database_up` says so.
 */
export function createGauges(options: Options): () => Promise<void> {
  const up = new Gauge({ name: 'evalhub_database_up', help: 'Whether the database answered lately.', registers: [options.registry] })
  const read = createReading(options)
  let freshUntilMs = -Infinity
  let underWay: Promise<void> | undefined
  const refresh = async () => {
    try {
      await read()
      up.set(1)
    } catch {
      up.set(0)
    }
    freshUntilMs = performance.now() + FRESH_MS
    underWay = undefined
  }
  return async () => {
    if (!underWay && performance.now() < freshUntilMs) return
    underWay ??= refresh()
    const isLate = await Promise.race([underWay.then(() => false), delay(WAIT_MS, true, { ref: false })])
    if (isLate) up.set(0)
  }
}

function createReading({ registry, db, runtime }: Options): () => Promise<void> {
  const show = createStandings(registry, runtime)
  const count = createAttemptMetrics(registry, runtime)
  let seenUpTo: string | undefined
  return async () => {
    show(await readStandings(db))
    const span = await nextSpan(db, seenUpTo, LAG_SECONDS)
    const [waits, ends] = await Promise.all([listLaunchWaits(db, span), listAttemptEnds(db, span)])
    seenUpTo = span.to
    count(waits, ends)
  }
}

function createStandings(registry: Registry, runtime: string): (standings: Standings) => void {
  const registers = [registry]
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name, help, labelNames, registers })
  const submitted = new Counter({
    name: 'evalhub_evaluation_jobs_total',
    help: 'Jobs that were submitted, and that were cancelled, ever.',
    labelNames: ['action', 'runtime'],
    registers,
  })
  const completions = new Counter({
    name: 'evalhub_evaluation_job_completions_total',
    help: 'Jobs that have ended, ever.',
    labelNames: ['state'],
    registers,
  })
  const jobs = gauge('evalhub_evaluation_jobs', 'Jobs that can be read, by state.', ['state'])
  const runs = gauge('evalhub_benchmark_runs', 'Runs that are queued, launched, or ended and not settled.', ['state'])
  const oldest = gauge('evalhub_launch_queue_oldest_seconds', 'Age of the first run in the queue.')

  return (standings) => {
    // A counter can only be set by way of nothing; both come from one reading, between which nobody reads.
    submitted.reset()
    completions.reset()
    const ever = EVALUATION_STATES.map((state) => ({ state, total: (standings.jobs[state] ?? 0) + (standings.deletedJobs[state] ?? 0) }))
    submitted.inc(
      { action: 'created', runtime },
      ever.reduce((sum, { total }) => sum + total, 0),
    )
    for (const { state, total } of ever) {
      jobs.set({ state }, standings.jobs[state] ?? 0)
      if (isTerminal(state)) completions.inc({ state }, total)
      if (state === 'cancelled') submitted.inc({ action: 'cancelled' }, total)
    }
    runs.set({ state: 'queued' }, standings.queued)
    runs.set({ state: 'launched' }, standings.launched)
    runs.set({ state: 'unsettled' }, standings.unsettled)
    oldest.set(standings.oldestQueuedSeconds)
  }
}

function createAttemptMetrics(registry: Registry, runtime: string): (waits: readonly number[], ends: readonly AttemptEnd[]) => void {
  const registers = [registry]
  const wait = new Histogram({
    name: 'evalhub_launch_wait_seconds',
    help: 'From submit to launch, of first attempts.',
    buckets: WAIT_SECONDS,
    registers,
  })
  const duration = new Histogram({
    name: 'evalhub_attempt_duration_seconds',
    help: 'From launch to end of an attempt.',
    labelNames: ['outcome'],
    buckets: DURATION_SECONDS,
    registers,
  })
  const ended = new Counter({
    name: 'evalhub_attempts_ended_total',
    help: 'Attempts that have ended, by failure class; none for those that did not fail by the bridge’s judgement.',
    labelNames: ['failure_class'],
    registers,
  })
  const errors = new Counter({
    name: 'evalhub_benchmark_runtime_errors_total',
    help: 'Attempts that could not be created or launched.',
    labelNames: ['runtime'],
    registers,
  })
  errors.inc({ runtime }, 0)
  return (waits, ends) => {
    for (const seconds of waits) wait.observe(seconds)
    for (const { failureClass, isLaunched, seconds } of ends) {
      ended.inc({ failure_class: failureClass ?? 'none' })
      if (isLaunched) duration.observe({ outcome: failureClass === null ? 'ended' : 'failed' }, seconds)
      else if (failureClass !== null) errors.inc({ runtime })
    }
  }
}
