import type { Claim } from '#db/commands/claim-launches.ts'
import type { UnsettledRun } from '#db/queries/unsettled-runs.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { FailureClass } from '#shared/domain/failure-class.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { BenchmarkStatusEvent } from '#shared/models/event.ts'

/** Why an attempt is over without its adapter's report. */
export type RunEnd = {
  failureClass: FailureClass
  /** A sentence that tells the user what happened and what to do; free of secrets. */
  message: string
  exitCode?: number
}

/** Why something cannot start now, and for how long that is borne; then the run fails of it. */
export type Obstacle = Pick<RunEnd, 'failureClass' | 'message'> & { limitSeconds: number }

/** What a launched thing shows of its run to whoever looks at it without asking EvalHub. */
export type Mark = 'Pending' | 'Running' | 'Completed' | 'Failed' | 'ThresholdViolated'

/** A launched thing, as the runtime shows it. Times are milliseconds of the process's monotonic clock. */
export type LaunchedObject = AttemptKey & {
  objectUid: string
  launchedAtMs: number
  /** Absent until it is on a machine: its deadline counts from then. */
  started?: { atMs: number; node: string; resources: Record<string, unknown> }
  /** Why its adapter has not begun: what it will fail of after `limitSeconds`, or `starting`. Absent once it has, and where nothing is known. */
  waiting?: { kind: FailureClass | 'starting'; message: string; limitSeconds: number }
  /** Absent while it waits or runs. */
  end?: {
    atMs: number
    /** What to tell the user if no report came. */
    outcome: RunEnd
    /** The platform took it away, so what its adapter says about its end is not the reason. */
    isDisrupted: boolean
    /** How long a report may still be on its way. */
    reportGraceMs: number
  }
  /** Absent where nobody would look. */
  mark?: Mark
  /** All of it that is evidence is kept. */
  isSealed?: boolean
}

export type EndedObject = LaunchedObject & Required<Pick<LaunchedObject, 'end'>>

/** What the logs of something that has ended tell. */
export type LastWords = {
  /** Events that its adapter reported, and that reached nobody. */
  events: BenchmarkStatusEvent[]
  /** What to tell the user if no report came, with the last lines of what was written. */
  outcome: RunEnd
}

/** What differs between processes and Kubernetes: how runs are launched, seen, ended and cleaned up after. */
export type Runtime = {
  /** Runs under way at once, over all bridges. Absent: this runtime's free slots are all that counts. */
  limits?: { perTenant: number; total: number }
  /** Times that an error at launching is tried again before the run fails of it. */
  triesMax: number
  /** How long an adapter that has reported its end may take to leave. */
  leaveMs: number
  /** Time after a deadline that the platform has to keep it before the bridge ends the run without asking it. */
  deadlineSlackMs: number
  /** Begins to look. Calls `onChange` whenever something launched has changed. */
  watch(onChange: () => void): void
  /** Stops looking: another bridge does. */
  unwatch(): void
  /** How many more runs may be launched now. */
  freeSlots(): number
  /** Why a run can never be launched here; undefined if it can. */
  refusal(spec: RunSpec): RunEnd | undefined
  /**
   * Launches an attempt, or gives up after `withinMs`. A refusal is final; an obstacle may go away; what is thrown is tried again. `warning`: what the
   * user is to know about what was launched, in one line, free of secrets.
   */
  launch(claim: Claim, withinMs: number): Promise<{ objectUid: string; warning?: string } | { refused: RunEnd } | { obstacle: Obstacle }>
  /** All that was launched and not released; undefined while the runtime cannot be seen. */
  observe(): readonly LaunchedObject[] | undefined
  /** What it means that nothing is seen of a launched attempt: that it is lost, for this reason, or nothing yet. */
  absence(run: UnsettledRun): RunEnd | 'unknown'
  /**
   * Begins to end what was launched: politely, then by force. Returns at once; repeating it changes nothing.
   * `toBeSeen`: it stays observed once it has ended, until it is released.
   */
  end(attempt: AttemptKey, toBeSeen: boolean): void
  /** Shows the state of a run on what was launched for it. */
  mark(object: LaunchedObject, mark: Mark, run: UnsettledRun): Promise<void>
  /** Keeps the rest of the logs of what has ended, and answers what is in them. */
  lastWords(object: EndedObject): Promise<LastWords>
  /** Keeps the rest of the logs of what has ended, and forgets it; what is not to be kept for people to look at is removed. */
  release(object: LaunchedObject, isKept: boolean): Promise<void>
  /** Keeps the rest of the logs of an attempt that is not seen any more, as far as there is any. Throws if it is there after all. */
  salvage(run: UnsettledRun): Promise<void>
  /** Removes the files of a run, or, without an index, of a whole job. */
  removeFiles(evaluationId: string, benchmarkIndex?: number): Promise<void>
  /** Ends what cannot go on without this process, and keeps its logs. Nothing is launched from here on. */
  close(): Promise<void>
}
