import { sql, type SQL } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  customType,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  real,
  smallint,
  text,
  timestamp,
  unique,
  uuid,
  type AnyPgColumn,
} from 'drizzle-orm/pg-core'
import type { RunSpec } from '../shared/domain/run-spec.ts'
import type { Waiting } from '../shared/domain/waiting.ts'
import type { BenchmarkTest, MetricSchema } from '../shared/models/benchmark-run.ts'
import type { EvaluationJobConfig } from '../shared/models/evaluation.ts'
import type { BenchmarkStatusEvent } from '../shared/models/event.ts'
import type { Message } from '../shared/models/message.ts'
import type { BenchmarkResource, ProviderRuntime } from '../shared/models/provider.ts'
import { EVALUATION_STATES, PHASES, RUN_STATES } from '../shared/models/states.ts'

/**
 * The tables. Read by drizzle-kit, which writes the migrations; at run time only its types are used.
 *
 * Rules that SQL keeps: a state is terminal exactly when there is a finishing time, and a state is
 * changed by a guarded UPDATE only. What belongs to a user (request, parameters, metrics) is JSON as on the wire.
 */
export const evalhub = pgSchema('evalhub')

export const runState = evalhub.enum('run_state', RUN_STATES)
export const evaluationState = evalhub.enum('evaluation_state', EVALUATION_STATES)
/** In the order in which a run passes through, so that `greatest` never goes back. */
export const phase = evalhub.enum('phase', PHASES)
/** Who wrote a provider or collection. That, and never a tenant's name, makes a row a system row. */
export const source = evalhub.enum('source', ['catalogue', 'api'])

const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })
/** A transaction by its full number, which is never used again: what a snapshot does not show of it can be asked for later, whenever it commits. */
const transaction = customType<{ data: string }>({ dataType: () => 'xid8' })
const thisTransaction = sql`pg_current_xact_id()`
const at = (name: string) => timestamp(name, { withTimezone: true, precision: 6 })
const now = sql`now()`

/** Tenant of a row; empty where no identity is required and none was given. */
const tenant = () => text('tenant').notNull()

const finishedExactlyWhenTerminal = (state: AnyPgColumn, finishedAt: AnyPgColumn): SQL =>
  sql`(${state} in ('pending', 'running')) = (${finishedAt} is null)`

const catalogueColumns = () => ({
  id: text('id').primaryKey(),
  tenant: tenant(),
  source: source('source').notNull(),
  owner: text('owner').notNull(),
  /** The wire's config; a provider's without benchmarks and runtime, which have places of their own. */
  config: jsonb('config').notNull(),
  createdAt: at('created_at').notNull().default(now),
  updatedAt: at('updated_at').notNull().default(now),
})

export const providers = evalhub.table(
  'providers',
  {
    ...catalogueColumns(),
    runtime: jsonb('runtime').$type<ProviderRuntime>(),
    /** Bound of one attempt of a run; null means the default. */
    deadlineSeconds: integer('deadline_seconds'),
  },
  (table) => [index('providers_tenant').on(table.tenant, table.id)],
)

/** Each benchmark apart from its provider, so that a submit reads only what it names. */
export const providerBenchmarks = evalhub.table(
  'provider_benchmarks',
  {
    providerId: text('provider_id')
      .notNull()
      .references(() => providers.id, { onDelete: 'cascade' }),
    benchmarkId: text('benchmark_id').notNull(),
    position: integer('position').notNull(),
    definition: jsonb('definition').$type<BenchmarkResource>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.providerId, table.benchmarkId] })],
)

export const collections = evalhub.table('collections', catalogueColumns(), (table) => [
  index('collections_tenant').on(table.tenant, table.id),
])

export const evaluations = evalhub.table(
  'evaluations',
  {
    /** UUIDv7, made by us: `id desc` is newest first. */
    id: uuid('id').primaryKey(),
    tenant: tenant(),
    owner: text('owner').notNull(),
    name: text('name').notNull(),
    tags: jsonb('tags').$type<string[]>().notNull(),
    state: evaluationState('state').notNull().default('pending'),
    /** The wire's message about the state. */
    message: jsonb('message').$type<Message>().notNull(),
    /** The request as it was understood. */
    request: jsonb('request').$type<EvaluationJobConfig>().notNull(),
    experiment: text('experiment'),
    createdAt: at('created_at').notNull().default(now),
    updatedAt: at('updated_at').notNull().default(now),
    finishedAt: at('finished_at'),
    /** Weighted mean of the primary scores; null until completed, or without any. */
    score: doublePrecision('score'),
    passed: boolean('passed'),
    aggregateThreshold: doublePrecision('aggregate_threshold').notNull(),
    collectionUpdatedAt: text('collection_updated_at'),
    /** What its answer takes of memory at most (`domain/job-footprint.ts`), known without reading what it is made of. */
    footprint: integer('footprint').notNull().default(0),
    /** Its runs that have not ended. */
    openRuns: integer('open_runs').notNull().default(0),
    /** What is kept of it: its footprint, the characters of its runs' snapshots, and the bytes of their logs. */
    storedBytes: bigint('stored_bytes', { mode: 'number' }).notNull().default(0),
    /** Number of the last row of `job_events`; handed out under this row's lock. */
    lastSeq: integer('last_seq').notNull().default(0),
    cancelledAt: at('cancelled_at'),
    /** Set by a hard delete: no read shows the row any more; it goes once its runs are settled. */
    deletedAt: at('deleted_at'),
  },
  (table) => [
    // Falling, with nulls last: no scan of the primary key, past all that is other tenants', has that order (db/queries/evaluations.ts).
    index('evaluations_tenant')
      .on(table.tenant, table.id.desc())
      .where(sql`deleted_at is null`),
    index('evaluations_state')
      .on(table.tenant, table.state, table.id.desc())
      .where(sql`deleted_at is null`),
    index('evaluations_name')
      .on(table.tenant, table.name, table.id.desc())
      .where(sql`deleted_at is null`),
    index('evaluations_tags').using('gin', table.tags),
    index('evaluations_deleted')
      .on(table.deletedAt)
      .where(sql`deleted_at is not null`),
    check('evaluations_finished', finishedExactlyWhenTerminal(table.state, table.finishedAt)),
  ],
)

const evaluationId = () =>
  uuid('evaluation_id')
    .notNull()
    .references(() => evaluations.id, { onDelete: 'cascade' })

export const runs = evalhub.table(
  'runs',
  {
    evaluationId: evaluationId(),
    benchmarkIndex: integer('benchmark_index').notNull(),
    providerId: text('provider_id').notNull(),
    benchmarkId: text('benchmark_id').notNull(),
    /** The snapshot taken at submit (`domain/run-spec.ts`). Nothing later reads providers or collections. */
    spec: jsonb('spec').$type<RunSpec>().notNull(),
    state: runState('state').notNull().default('pending'),
    phase: phase('phase'),
    /** Share that is done, 0 to 1. */
    progress: real('progress'),
    /** Number of the attempt that counts, from 1. */
    attempt: smallint('attempt').notNull().default(1),
    errorMessage: jsonb('error_message').$type<Message>(),
    warningMessage: jsonb('warning_message').$type<Message>(),
    /** As the adapter said it, else as the hub stamped it. */
    startedAt: text('started_at'),
    completedAt: text('completed_at'),
    metrics: jsonb('metrics').$type<Record<string, unknown>>(),
    metricsSchema: jsonb('metrics_schema').$type<MetricSchema[]>(),
    additionalInfo: jsonb('additional_info').$type<Record<string, unknown>>(),
    artifacts: jsonb('artifacts').$type<Record<string, unknown>>(),
    test: jsonb('test').$type<BenchmarkTest>(),
    mlflowRunId: text('mlflow_run_id'),
    logsPath: text('logs_path'),
    resolvedSha: text('resolved_sha'),
    /** Why a pending run has not started, as a client may read it; null where nothing is known but the queue, and in other states. */
    waiting: jsonb('waiting').$type<Waiting>(),
    /** When that reason, by its class, began. */
    waitingSince: at('waiting_since'),
    updatedAt: at('updated_at').notNull().default(now),
    finishedAt: at('finished_at'),
    /** Null while the bridge owes the run something: a process to end, logs to keep. */
    settledAt: at('settled_at'),
  },
  (table) => [
    primaryKey({ columns: [table.evaluationId, table.benchmarkIndex] }),
    // Ended and not settled: runs that only wait in the queue are many, and the bridge does not ask for them.
    index('runs_unsettled')
      .on(table.evaluationId, table.benchmarkIndex)
      .where(sql`settled_at is null and finished_at is not null`),
    check('runs_finished', finishedExactlyWhenTerminal(table.state, table.finishedAt)),
    check('runs_waiting', sql`${table.waiting} is null or ${table.state} = 'pending'`),
  ],
)

/** One try of a run. The row is written when it is launched. */
export const attempts = evalhub.table(
  'attempts',
  {
    evaluationId: uuid('evaluation_id').notNull(),
    benchmarkIndex: integer('benchmark_index').notNull(),
    attempt: smallint('attempt').notNull(),
    launchedAt: at('launched_at').notNull().default(now),
    /** The bridge that launched it. */
    holder: text('holder').notNull(),
    /** What the runtime calls the launched thing: the Job's uid, or the process's identity. */
    objectUid: text('object_uid'),
    /** The machine that it runs on; null until it is there. */
    node: text('node'),
    /** When it was on that machine: its deadline counts from here. */
    startedAt: at('started_at'),
    /** What the adapter's container was given: `{ requests, limits }` of Kubernetes. */
    resources: jsonb('resources').$type<Record<string, unknown>>(),
    /** A `failed` event with a run token, kept until the end of the attempt shows whether the words are the adapter's own. */
    report: jsonb('report').$type<BenchmarkStatusEvent>(),
    failureClass: text('failure_class'),
    exitCode: integer('exit_code'),
    message: text('message'),
    endedAt: at('ended_at'),
    /** The transaction that wrote the row. */
    launchedIn: transaction('launched_in').notNull().default(thisTransaction),
    /** The same, and from the end on the one that wrote the end. */
    changedIn: transaction('changed_in').notNull().default(thisTransaction),
  },
  (table) => [
    primaryKey({ columns: [table.evaluationId, table.benchmarkIndex, table.attempt] }),
    index('attempts_open')
      .on(table.evaluationId, table.benchmarkIndex)
      .where(sql`ended_at is null`),
    // What was launched, and what has ended, since somebody last looked: for metrics.
    index('attempts_launched').on(table.launchedAt),
    index('attempts_ended').on(table.endedAt),
    index('attempts_changed').on(table.changedIn),
    foreignKey({ columns: [table.evaluationId, table.benchmarkIndex], foreignColumns: [runs.evaluationId, runs.benchmarkIndex] }).onDelete(
      'cascade',
    ),
  ],
)

/** This hub, in one row. */
export const hub = evalhub.table(
  'hub',
  {
    /** Marks what is this hub's on a cluster that it shares with others. */
    id: uuid('id')
      .primaryKey()
      .default(sql`gen_random_uuid()`),
    /** When a bridge last made a pass; null before the first. */
    bridgeSeenAt: at('bridge_seen_at'),
    /** What the last bridge that started runs things with; null before the first. */
    runtime: text('runtime').$type<'kubernetes' | 'local'>(),
    /** Which release, as in package.json, wrote the catalogue's rows last: an older one leaves them alone. Null while nothing was written. */
    catalogueRelease: text('catalogue_release'),
    one: boolean('one').notNull().default(true).unique(),
  },
  (table) => [check('hub_one', sql`${table.one}`)],
)

/** Runs that wait to be launched. A row lives from submit to launch. */
export const launchQueue = evalhub.table(
  'launch_queue',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    tenant: tenant(),
    evaluationId: evaluationId(),
    benchmarkIndex: integer('benchmark_index').notNull(),
    attempt: smallint('attempt').notNull(),
    dueAt: at('due_at').notNull().default(now),
    leaseHolder: text('lease_holder'),
    leaseExpiresAt: at('lease_expires_at'),
    tries: integer('tries').notNull().default(0),
    lastError: text('last_error'),
    /** The transaction that made the row due, or leased it. */
    changedIn: transaction('changed_in').notNull().default(thisTransaction),
  },
  (table) => [
    unique('launch_queue_run').on(table.evaluationId, table.benchmarkIndex),
    index('launch_queue_due').on(table.tenant, table.dueAt, table.id),
    index('launch_queue_leased').on(table.leaseExpiresAt, table.tenant),
    index('launch_queue_changed').on(table.changedIn),
  ],
)

/** Every change of a state, in the order in which it happened. Never progress. */
export const jobEvents = evalhub.table(
  'job_events',
  {
    evaluationId: evaluationId(),
    seq: integer('seq').notNull(),
    at: at('at').notNull().default(now),
    /** Null for the job itself. */
    benchmarkIndex: integer('benchmark_index'),
    attempt: smallint('attempt'),
    state: text('state').notNull(),
    message: text('message'),
  },
  (table) => [primaryKey({ columns: [table.evaluationId, table.seq] })],
)

/** What adapters wrote, in compressed pieces. */
export const runLogs = evalhub.table(
  'run_logs',
  {
    evaluationId: evaluationId(),
    benchmarkIndex: integer('benchmark_index').notNull(),
    attempt: smallint('attempt').notNull(),
    container: text('container').notNull(),
    seq: integer('seq').notNull(),
    /** gzip. */
    chunk: bytea('chunk').notNull(),
    /** Length before compression. */
    bytes: integer('bytes').notNull(),
    firstAt: at('first_at').notNull(),
    lastAt: at('last_at').notNull(),
    /** gzip; null where only these two times are known. */
    times: bytea('times'),
    /** Bytes that were written before it, whether they are kept or not; null in a piece of an earlier release. */
    startByte: bigint('start_byte', { mode: 'number' }),
  },
  (table) => [primaryKey({ columns: [table.evaluationId, table.benchmarkIndex, table.attempt, table.container, table.seq] })],
)

/** What was created with which key, for a day: a repeated request finds it instead of creating it again. */
export const idempotencyKeys = evalhub.table(
  'idempotency_keys',
  {
    tenant: tenant(),
    /** What is created: `jobs`, `providers` or `collections`. */
    route: text('route').notNull(),
    key: text('key').notNull(),
    /** SHA-256 of the request's body, hexadecimal. */
    bodyHash: text('body_hash').notNull(),
    resourceId: text('resource_id').notNull(),
    expiresAt: at('expires_at')
      .notNull()
      .default(sql`now() + interval '24 hours'`),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.route, table.key] }), index('idempotency_keys_expiry').on(table.expiresAt)],
)

/**
 * Number of visible jobs by tenant and state, and what they have of that which a tenant has a quota for, spread over 16 rows so that writers do
 * not wait for each other. Kept by a trigger.
 */
export const evaluationCounts = evalhub.table(
  'evaluation_counts',
  {
    tenant: tenant(),
    state: evaluationState('state').notNull(),
    slot: smallint('slot').notNull(),
    total: bigint('total', { mode: 'number' }).notNull(),
    openRuns: bigint('open_runs', { mode: 'number' }).notNull().default(0),
    storedBytes: bigint('stored_bytes', { mode: 'number' }).notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.state, table.slot] })],
)

/** Jobs that a tenant has submitted in the last minute in which it has submitted any. Who judges a tenant's quotas locks its row. */
export const submitRates = evalhub.table('submit_rates', {
  tenant: tenant().primaryKey(),
  minute: at('minute').notNull(),
  jobs: integer('jobs').notNull(),
})

/** Number of hard-deleted jobs by the state that they had, so that counts of all there ever were do not go back. Kept by a trigger. */
export const deletedEvaluationCounts = evalhub.table('deleted_evaluation_counts', {
  state: evaluationState('state').primaryKey(),
  total: bigint('total', { mode: 'number' }).notNull(),
})
