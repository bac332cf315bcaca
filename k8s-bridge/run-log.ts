import type { RunOutcome } from '#db/commands/settle-run.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { FailureClass } from '#shared/domain/failure-class.ts'
import type { Log } from '#shared/log.ts'

/** Told what becomes of runs, once each: by the bridge that launched them, and by the one that observed their end. */
export type RunLog = {
  launched: (attempts: readonly (AttemptKey & { objectUid: string })[]) => void
  /** The attempt has failed, and its run gets another one. */
  again: (attempt: AttemptKey, failureClass: FailureClass) => void
  /** The runs are over, and their evidence is kept. */
  ended: (runs: readonly RunOutcome[]) => void
}

/** A line for each launch, each attempt that another one follows, and each end of a run. Without messages, which may quote an adapter. */
export const createRunLog = (log: Log): RunLog => ({
  launched(attempts) {
    for (const { objectUid, ...attempt } of attempts) log.info('launched', { ...idsOf(attempt), object_uid: objectUid })
  },
  again: (attempt, failureClass) => log.info('attempt failed, another one follows', { ...idsOf(attempt), failure_class: failureClass }),
  ended(runs) {
    for (const { state, failureClass, exitCode, ...run } of runs) {
      const why = { ...(failureClass !== null && { failure_class: failureClass }), ...(exitCode !== null && { exit_code: exitCode }) }
      log.info('ended', { ...idsOf(run), state, ...why })
    }
  },
})

const idsOf = ({ evaluationId, benchmarkIndex, attempt }: AttemptKey) => ({
  evaluation_id: evaluationId,
  benchmark_index: benchmarkIndex,
  attempt,
})
