import type { z } from 'zod'
import type { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import type { ProviderConfig } from '#shared/models/provider.ts'

export { BenchmarkResult, BenchmarkStatus, BenchmarkTest, MetricSchema, MetricStatistics } from '#shared/models/benchmark-run.ts'
export { Collection, CollectionBenchmark, CollectionConfig } from '#shared/models/collection.ts'
export { AggregateTest, BenchmarkConfig, EvaluationJob, EvaluationJobConfig, ModelRef } from '#shared/models/evaluation.ts'
export { BenchmarkStatusEvent, StatusEvent } from '#shared/models/event.ts'
export { JobOutcome, JobOutcomes, JobState, JobStates } from '#shared/models/job-batch.ts'
export { JobSpec } from '#shared/models/job-spec.ts'
export { Message } from '#shared/models/message.ts'
export type { Page } from '#shared/models/page.ts'
export { BenchmarkResource, Provider, ProviderConfig } from '#shared/models/provider.ts'
export { EvaluationState, Phase, RunState, isTerminal } from '#shared/models/states.ts'
export { TestDataRef } from '#shared/models/test-data.ts'

/** What a caller writes to submit an evaluation job: the fields that have a default may be left out. */
export type EvaluationJobRequest = z.input<typeof EvaluationJobConfig>

/** What a caller writes to create a provider. */
export type ProviderRequest = z.input<typeof ProviderConfig>

/** Answer of `GET /api/v1/health`. */
export type Health = { status: string; timestamp: string }
