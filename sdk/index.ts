/** What the published package offers to clients and adapters. It needs nothing of Node; `run-adapter.ts`, which does, is imported by its own path. */
export { AdapterFailure } from './adapter.ts'
export type { Adapter, AdapterHost, AdapterResult, Artifact, ModelCredentials } from './adapter.ts'
export { createClient } from './client.ts'
export type { Client, ClientOptions } from './client.ts'
export { ApiError, ConnectionError, WaitTimeoutError } from './errors.ts'
export type { Listing } from './listing.ts'
export {
  AggregateTest,
  BenchmarkConfig,
  BenchmarkResource,
  BenchmarkResult,
  BenchmarkStatus,
  BenchmarkStatusEvent,
  BenchmarkTest,
  Collection,
  CollectionBenchmark,
  CollectionConfig,
  EvaluationJob,
  EvaluationJobConfig,
  EvaluationState,
  JobOutcome,
  JobSpec,
  JobState,
  JobStates,
  Message,
  MetricSchema,
  MetricStatistics,
  ModelRef,
  Phase,
  Provider,
  ProviderConfig,
  RunState,
  StatusEvent,
  TestDataRef,
  isTerminal,
} from './models.ts'
export type { EvaluationJobRequest, Health, Page, ProviderRequest } from './models.ts'
export type { CallOptions } from './request.ts'
export type { ListCollections } from './resources/collections.ts'
export type { ListEvaluations, LogOptions, SubmitOptions, Wait } from './resources/evaluations.ts'
export type { ListProviders } from './resources/providers.ts'
