import type { MetricSchema, MetricStatistics } from '#shared/models/benchmark-run.ts'
import type { JobSpec } from '#shared/models/job-spec.ts'
import type { Phase } from '#shared/models/states.ts'

/** A file that outlives the run, as the hub stores it below `artifacts.<name>`. */
export type Artifact = { uri: string; sha256: string; bytes: number }

/** How the model is reached beyond its URL. In a pod `apiKey` is a reference that the sidecar replaces by the real key. */
export type ModelCredentials = {
  apiKey?: string
  /** PEM file of a certificate authority to trust for the model's endpoint. */
  caCertPath?: string
}

/** What the runner offers to an adapter. Reports are best effort and never wait for the network. */
export type AdapterHost = {
  /** Phases are reported in the order of `Phase`; the first and the last are the runner's own. */
  phase: (phase: Phase) => void
  /** Share of the evaluation that is done, 0 to 1; at most two a second leave the process. */
  progress: (share: number) => void
  /** Something the user should know although the run goes on. Shown again with the results. */
  warn: (code: string, text: string) => void
  /** Registers a file as evidence. It is hashed now, and reported with the end of the run, failed or not. */
  artifact: (name: string, path: string) => Promise<Artifact>
  /** Existing folder of this run alone, for files that an adapter writes. */
  workdir: string
  /** Aborted when the run is to end: SIGTERM, or the hub no longer wants it. */
  signal: AbortSignal
  credentials: ModelCredentials
  /** One line of the run's log. */
  log: (line: string) => void
}

/** Names verbatim as the framework has them, ratios from 0 to 1. The runner adds `<metric>_stderr` from `statistics`. */
export type AdapterResult = {
  metrics: Record<string, number>
  statistics?: Record<string, MetricStatistics>
  additional_info?: Record<string, unknown>
  metrics_schema?: MetricSchema[]
}

/**
 * A program that drives one evaluation framework for one benchmark run.
 *
 * It fails by throwing: `AdapterFailure` for what a user can mend, anything else is a bug, whose
 * message is reported without its stack.
 */
export type Adapter = {
  /** Id of the provider, as in the catalogue. */
  id: string
  run: (spec: JobSpec, host: AdapterHost) => Promise<AdapterResult>
}

/** An end that was foreseen. `message` is shown to the user as it stands: it names no secret. */
export class AdapterFailure extends Error {
  override readonly name = 'AdapterFailure'
  /** For programs: snake_case, such as `dataset_invalid`. */
  readonly code: string

  constructor(code: string, message: string, options?: { cause: unknown }) {
    super(message, options)
    this.code = code
  }
}
