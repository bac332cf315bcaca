import type { BenchmarkConfig } from '../models/evaluation.ts'
import type { PrimaryScore } from '../models/fields.ts'
import type { HardwareConfig } from '../models/hardware.ts'
import type { ProviderRuntime } from '../models/provider.ts'

/** Where a resolved value came from. */
export type Source = 'job' | 'collection' | 'provider'

/**
 * All that a run needs, as it was when the job was submitted.
 *
 * Nothing after the submit reads providers or collections: editing or deleting one never changes a submitted job.
 */
export type RunSpec = {
  provider_id: string
  benchmark_id: string
  runtime: ProviderRuntime
  /** False for a provider that came over the API: its local command may run only if the hub was started to allow it. */
  from_catalogue: boolean
  /** Merged, without `num_examples`. */
  parameters: Record<string, unknown>
  num_examples?: number
  test_data_ref?: NonNullable<BenchmarkConfig['test_data_ref']>
  hardware_config?: HardwareConfig
  /** Bound of one attempt, in seconds. */
  deadline_seconds: number
  /** What the run is judged by. Absent: it gets no test. */
  primary_score?: PrimaryScore & { source: Source }
  threshold?: { value: number; source: Source }
  /** What of the request is not done, or not as it may be meant, a sentence each. Absent: nothing. */
  remarks?: string[]
  /** Share in the job's score, above 0. */
  weight: number
}

/** What of a snapshot a report is judged by: the rest may be long, and is not read for it. Of its test data it is only known whether there are any. */
export type JudgedSpec = Pick<RunSpec, 'benchmark_id' | 'primary_score' | 'threshold' | 'weight'> & { test_data_ref?: object }
