import type { Claim } from '#db/commands/claim-launches.ts'
import type { AttemptKey, UnsettledRun } from '#db/queries/unsettled-runs.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'

/** Why an attempt is over without its adapter's report. */
export type RunEnd = {
  /** One word of a closed list, for programs. */
  failureClass: string
  /** A sentence that tells the user what happened and what to do; free of secrets. */
  message: string
  exitCode?: number
}

/** A launched thing, as the runtime shows it. Times are milliseconds of the process's monotonic clock. */
export type LaunchedObject = AttemptKey & {
  objectUid: string
  launchedAtMs: number
  /** Absent while it runs. */
  end?: {
    atMs: number
    /** What to tell the user if no report came. */
    outcome: RunEnd
    /** How long a report may still be on its way. */
    reportGraceMs: number
  }
}

/** What differs between processes and Kubernetes: how runs are launched, seen, ended and cleaned up after. */
export type Runtime = {
  /** Calls `onChange` whenever something launched has ended. */
  watch(onChange: () => void): void
  /** How many more runs may be launched now. */
  freeSlots(): number
  /** Why a run can never be launched here; undefined if it can. */
  refusal(spec: RunSpec): RunEnd | undefined
  /** Launches an attempt. A refusal is final; what is thrown is not, and the attempt will be launched later. */
  launch(claim: Claim): Promise<{ objectUid: string } | { refused: RunEnd }>
  /** All that was launched and not released. */
  observe(): readonly LaunchedObject[]
  /** True if something that an earlier bridge launched may still run under this uid. */
  isLeftover(objectUid: string): boolean
  /** Begins to end what was launched: politely, then by force. Returns at once; repeating it changes nothing. */
  end(attempt: AttemptKey): void
  /** Keeps the rest of the logs of what has ended, and forgets it. */
  release(attempt: AttemptKey): Promise<void>
  /** Keeps the rest of the logs of an attempt that an earlier bridge launched, as far as there is any. */
  salvage(run: UnsettledRun): Promise<void>
  /** Removes the files of a run, or, without an index, of a whole job. */
  removeFiles(evaluationId: string, benchmarkIndex?: number): Promise<void>
  /** Ends all that was launched and keeps its logs. Nothing is launched from here on. */
  close(): Promise<void>
}
