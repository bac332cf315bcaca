import type { Db } from '#db/client.ts'
import { listJobLines, type JobLine } from '#db/queries/job-lines.ts'
import type { RunLog } from '#k8s-bridge/run-log.ts'
import { visibleLine } from '#shared/domain/visible-text.ts'

/** What somebody before a terminal is told of jobs. */
export type JobLines = {
  runLog: RunLog
  /** Resolves when all that was said until now is written. */
  finish(): Promise<void>
}

type Options = { db: Db; say: (line: string) => void; now: () => Date; onError: (error: unknown) => void }

const MESSAGE_MAX_CHARS = 300

/** A line when a job begins to run, when a run of it is tried again, and when it has ended, with its score and the reasons of what failed. */
export function createJobLines({ db, say, now, onError }: Options): JobLines {
  let last: Promise<void> = Promise.resolve()
  const tell = (ids: readonly string[], lineOf: (job: JobLine) => string | undefined) => {
    if (ids.length === 0) return
    const told = async () => {
      for (const job of await listJobLines(db, [...new Set(ids)])) {
        const line = lineOf(job)
        if (line !== undefined) say(`${now().toTimeString().slice(0, 8)} ${visibleLine(line)}`)
      }
    }
    // In their order, and nothing waits for them.
    last = last.then(told).catch(onError)
  }
  return {
    runLog: {
      launched(attempts) {
        const counts = new Map<string, number>()
        for (const { evaluationId: id } of attempts) counts.set(id, (counts.get(id) ?? 0) + 1)
        const begun = attempts.filter(({ attempt }) => attempt === 1).map(({ evaluationId }) => evaluationId)
        tell(begun, (job) => startLine(job, counts.get(job.id) ?? 0))
      },
      again: ({ evaluationId, benchmarkIndex, attempt }, failureClass) =>
        tell(
          [evaluationId],
          (job) => `${nameOf(job)}: benchmark ${benchmarkIndex} is tried again after attempt ${attempt} (${failureClass})`,
        ),
      ended: (runs) =>
        tell(
          runs.map(({ evaluationId }) => evaluationId),
          endLine,
        ),
    },
    finish: () => last,
  }
}

const nameOf = ({ id, name }: Pick<JobLine, 'id' | 'name'>) => `Job ${name} (${id})`
const benchmarksOf = (count: number) => (count === 1 ? '1 benchmark' : `${count} benchmarks`)

/** Undefined if others of its runs were launched before these `launched`. */
export function startLine(job: JobLine, launched: number): string | undefined {
  return job.attempts > launched ? undefined : `${nameOf(job)} started: ${benchmarksOf(job.benchmarks)}`
}

/** Undefined while it goes on, and while the bridge owes something to another of its runs, whose end will bring the line. */
export function endLine(job: JobLine): string | undefined {
  if (job.unsettled > 0 || job.state === 'pending' || job.state === 'running') return undefined
  const score =
    job.score === null ? '' : `, score ${Number(job.score.toPrecision(4))}${job.passed === null ? '' : job.passed ? ', pass' : ', fail'}`
  const words = (job.failed ?? []).map(
    ({ benchmark, message }) => `${benchmark}: ${(message ?? 'no reason is known').slice(0, MESSAGE_MAX_CHARS)}`,
  )
  const more = job.failures > words.length ? `; and ${job.failures - words.length} more` : ''
  const reasons = words.length === 0 ? '' : `: ${words.join('; ')}${more}`
  return `${nameOf(job)} ${VERBS[job.state]}${score}${reasons}`
}

const VERBS = {
  completed: 'completed',
  failed: 'failed',
  partially_failed: 'ended, failed in part',
  cancelled: 'was cancelled',
  pending: '',
  running: '',
} as const satisfies Record<JobLine['state'], string>
