import { quotaExceeded, type Quotas } from '#shared/domain/quota.ts'
import { runFootprint } from '#shared/domain/job-footprint.ts'
import type { ExpectedVersions } from '#shared/domain/require-version.ts'
import type { CollectionConfig } from '#shared/models/collection.ts'
import type { EvaluationJob } from '#shared/models/evaluation.ts'
import type { ProviderConfig } from '#shared/models/provider.ts'
import { notFound, type HubError } from '#shared/errors.ts'
import type { Db, Pool } from './client.ts'
import { cancelEvaluation, deleteEvaluation } from './commands/cancel-evaluation.ts'
import { changeCollection, changeProvider, deleteCollection, deleteProvider } from './commands/change-catalogue.ts'
import { claimKey, findKeyed, removeExpiredKeys, type Idempotency } from './commands/claim-key.ts'
import { createEvaluations, type Creation, type NewEvaluation } from './commands/create-evaluation.ts'
import { createLarge } from './commands/create-large.ts'
import { recordDecisive, recordGathered, recordProgress, type RunEvent, type TimedEvent } from './commands/record-event.ts'
import { createCollection } from './commands/save-collection.ts'
import { makeEntry } from './commands/make-entry.ts'
import { createProvider } from './commands/save-provider.ts'
import type { FairPool } from './fair-pool.ts'
import { createFullTenants, type FullTenants } from './full-tenants.ts'
import { gather } from './gather.ts'
import { listAttempts } from './queries/attempts.ts'
import {
  findCollection,
  findProvider,
  listCollections,
  listProviders,
  resolve,
  type CatalogueFilters,
  type Question,
  type Resolution,
} from './queries/catalogue.ts'
import { findEvaluation, findRequest, hasEvaluation, listEvaluations, type EvaluationFilters } from './queries/evaluations.ts'
import type { Slice } from './queries/filters.ts'
import { findJobStates } from './queries/job-states.ts'
import { checkMigrated } from './queries/readiness.ts'
import { findLogPieces, listLogOwners } from './queries/run-logs.ts'
import { SMALL_FOOTPRINT, type Reserve } from './reserve.ts'
import { EVERY_TENANT, type Scope } from './scope.ts'

/** The channel on which the bridge hears that there is something to do. The messages carry nothing. */
export const BRIDGE_CHANNEL = 'evalhub_bridge'

/** A database with its writes gathered: one of these for each process, or for each request on Workers. */
export type Store = {
  /** For what one tenant asks, on its account; given up when `signal` is aborted. */
  poolOf: (tenant: string, signal?: AbortSignal) => Pool
  /** Resolves if the database has all that this release needs. Rejects with what is wrong. */
  checkMigrated: () => Promise<void>
  /** What a job to be submitted needs of the catalogue. */
  resolve: (question: Question) => Promise<Resolution>
  create: (input: NewEvaluation) => Promise<Creation>
  /** Absent: no tenant has any. */
  quotas: Quotas | undefined
  full: FullTenants
  /** `now` is RFC 3339. Found by run: the row knows its tenant, which the event may say that it must be. */
  recordEvent: (event: RunEvent, now: string) => Promise<void>
  /** What a job was asked to do. Of any tenant, or of the one that is given only. */
  findRequest: (id: string, tenant?: string) => ReturnType<typeof findRequest>
  /** Tells the bridge to look, after a commit: calls while one is under way become one. Losing it costs one poll. */
  notifyBridge: () => void
}

/** Footprint of the jobs, or results, that are stored in one statement together: each is written out once more for it. */
const GATHERED_FOOTPRINT = 4 * 1024 * 1024

/** Writes of several tenants share statements: they are on an account of their own, as if a tenant made them. */
const GATHERED = 'gathered'

/** `source`: connections that tenants share, or that nobody shares. */
export function openStore(source: Pick<FairPool, 'of'> | Pool, quotas?: Quotas): Store {
  const { of } = 'of' in source ? source : { of: () => source }
  const db = of({ party: GATHERED })
  const poolOf = (tenant: string, signal?: AbortSignal) => of({ party: `tenant ${tenant}`, signal })
  const writeProgress = gather<RunEvent, boolean>((events) => recordProgress(db, events), {
    keyOf: ({ evaluationId, event }) => `${evaluationId.toLowerCase()}/${event.benchmark_index}`,
  })
  const writeDecisive = gather<TimedEvent, HubError | undefined>((events) => recordDecisive(db, events), {
    // Each brings all runs of its job.
    maxRows: 32,
    footprint: { of: ({ runEvent }) => runFootprint(runEvent.event), max: GATHERED_FOOTPRINT },
    keyOf: ({ runEvent }) => runEvent.evaluationId.toLowerCase(),
  })
  const createSmall = gather((inputs: readonly NewEvaluation[]) => createEvaluations(db, inputs, { quotas }), {
    footprint: { of: ({ footprint, snapshots }) => footprint + snapshots, max: GATHERED_FOOTPRINT },
    // By quotas one after the other is judged of a tenant: a second statement with it would wait for the first, and strangers' jobs in that with it.
    ...(quotas && { keyOf: ({ scope }) => scope.tenant }),
  })
  // On the account of its tenant: nobody else waits for the seconds that it may take.
  const createAlone = (input: NewEvaluation) => createLarge(poolOf(input.scope.tenant), input, quotas)
  const notify = gather<undefined, undefined>(
    async (rows) => {
      await db`select pg_notify(${BRIDGE_CHANNEL}, '')`
      return rows
    },
    // Nobody waits for it, and on Workers the database is closed when the answer is there.
    { isEager: true },
  )
  return {
    poolOf,
    checkMigrated: () => checkMigrated(db),
    quotas,
    full: createFullTenants(),
    resolve: gather((questions) => resolve(db, questions)),
    create: (input) => (input.footprint + input.snapshots > SMALL_FOOTPRINT ? createAlone(input) : createSmall(input)),
    recordEvent: (event, now) => recordGathered({ writeProgress, writeDecisive }, event, now),
    findRequest: (id, tenant) => findRequest(db, tenant === undefined ? EVERY_TENANT : { tenant, everyTenant: false }, id),
    // A poll makes up for one that is lost, so its failure is nobody's.
    notifyBridge: () => void notify(undefined).catch(() => undefined),
  }
}

/**
 * What routes may do for one tenant. They get this and never the database, so that no statement lacks its tenant, and nothing large its memory.
 *
 * Aborting `signal` gives up what is under way, but for submits: they share statements with others.
 */
export const forTenant = (store: Store, scope: Scope, reserve: Reserve, signal?: AbortSignal) => {
  const { quotas, resolve, notifyBridge } = store
  const db = store.poolOf(scope.tenant, signal)
  const creating = createOnce({ db, quotas, scope, reserve })
  return {
    reserve,
    /** Refuses, before anything is done for it, what the tenant is known to have no quota left for; not what was asked for before, which is answered all the same. */
    requireRoom: (idempotency: Idempotency | undefined) => {
      const excess = idempotency ? undefined : store.full.find(scope.tenant)
      if (excess) throw quotaExceeded(excess)
    },
    resolve: (request: Question['request']) => resolve({ tenant: scope.tenant, request }),
    /** With a key that was used before: what was created then, as it is now. */
    createEvaluation: async (input: Omit<NewEvaluation, 'scope'>): Promise<EvaluationJob> => {
      const job = await createOrFind(db, store, { ...input, scope }, reserve)
      notifyBridge()
      return job
    },
    findEvaluation: (id: string) => findEvaluation(db, scope, id, reserve),
    hasEvaluation: (id: string) => hasEvaluation(db, scope, id),
    findJobStates: (ids: readonly string[]) => findJobStates(db, scope, ids),
    listEvaluations: (filters: EvaluationFilters, slice: Slice) => listEvaluations(db, scope, filters, slice, reserve),
    cancelEvaluation: (id: string, now: string, expected?: ExpectedVersions) =>
      cancelEvaluation(db, scope, id, now, { expected, reserve }).then(notifyBridge),
    deleteEvaluation: (id: string, now: string, expected?: ExpectedVersions) =>
      deleteEvaluation(db, scope, id, now, { expected, reserve }).then(notifyBridge),
    listAttempts: (...args: Rest<typeof listAttempts>) => listAttempts(db, scope, ...args),
    listLogOwners: (id: string) => listLogOwners(db, scope, id),
    findLogPieces: (...args: Rest<typeof findLogPieces>) => findLogPieces(db, scope, ...args),
    findProvider: (id: string) => findProvider(db, scope, id, reserve),
    listProviders: (filters: CatalogueFilters, slice: Slice, withBenchmarks: boolean) =>
      listProviders(db, scope, filters, slice, { withBenchmarks, reserve }),
    createProvider: creating('providers', createProvider, findProvider),
    changeProvider: (id: string, change: (config: ProviderConfig) => ProviderConfig, expected?: ExpectedVersions) =>
      changeProvider(db, scope, id, { change, expected, reserve }),
    deleteProvider: (...args: Rest<typeof deleteProvider>) => deleteProvider(db, scope, ...args),
    findCollection: (id: string) => findCollection(db, scope, id, reserve),
    listCollections: (filters: CatalogueFilters, slice: Slice) => listCollections(db, scope, filters, slice, reserve),
    createCollection: creating('collections', createCollection, findCollection),
    changeCollection: (id: string, change: (config: CollectionConfig) => CollectionConfig, expected?: ExpectedVersions) =>
      changeCollection(db, scope, id, { change, expected, reserve }),
    deleteCollection: (...args: Rest<typeof deleteCollection>) => deleteCollection(db, scope, ...args),
  }
}

/** Undefined if the input's idempotency key was used before. */
async function createOrRefuse({ create, full }: Store, input: NewEvaluation): Promise<EvaluationJob | undefined> {
  const created = await create(input)
  if (created === undefined || 'job' in created) return created?.job
  full.note(input.scope.tenant, created.excess)
  throw quotaExceeded(created.excess)
}

/** For what is read in a transaction. */
const atOnce =
  (reserve: Reserve): Reserve =>
  (footprint) =>
    reserve(footprint, { atOnce: true })

/** The new job, or the one that its idempotency key stands for. A key that has expired is given up for whichever repeat is the first to create. */
async function createOrFind(db: Pool, store: Store, input: NewEvaluation, reserve: Reserve): Promise<EvaluationJob> {
  const { scope, idempotency } = input
  const tried = async () => (await createOrRefuse(store, input)) ?? findKeyedJob(db, scope, idempotency, reserve)
  const job = await tried()
  if (job) return job
  await removeExpiredKeys(db, scope, idempotency?.key)
  const again = await tried()
  if (!again) throw notFound('evaluation job', input.id)
  return again
}

/** The job that a key stands for; undefined if it stands for none any more. */
async function findKeyedJob(
  db: Pool,
  scope: Scope,
  idempotency: Idempotency | undefined,
  reserve: Reserve,
): Promise<EvaluationJob | undefined> {
  const id = idempotency && (await findKeyed(db, scope, 'jobs', idempotency))
  if (id === undefined) return undefined
  const job = await findEvaluation(db, scope, id, reserve)
  if (!job) throw notFound('evaluation job', id)
  return job
}

type Creating = { db: Pool; quotas: Quotas | undefined; scope: Scope; reserve: Reserve }

/** Creates in one transaction with its key; a key that was used before stands for what was created then, as it is now. */
const createOnce =
  ({ db, quotas, scope, reserve }: Creating) =>
  <Config, Item>(
    route: 'providers' | 'collections',
    create: (tx: Db, scope: Scope, id: string, config: Config) => Promise<Item>,
    find: (tx: Db, scope: Scope, id: string, reserve: Reserve) => Promise<Item | undefined>,
  ) =>
  async (id: string, config: Config, idempotency: Idempotency | undefined): Promise<Item> => {
    const { item } = await db.begin(async (tx) => {
      const keyed = idempotency ? await claimKey(tx, scope, route, idempotency, id) : id
      if (keyed === id) return { item: await makeEntry(tx, scope, quotas, () => create(tx, scope, id, config)) }
      const existing = await find(tx, scope, keyed, atOnce(reserve))
      if (!existing) throw notFound(route === 'providers' ? 'provider' : 'collection', keyed)
      return { item: existing }
    })
    return item
  }

export type TenantStore = ReturnType<typeof forTenant>

/** The parameters of a query after the database and the scope. */
type Rest<Query> = Query extends (db: Pool, scope: Scope, ...rest: infer Parameters) => unknown ? Parameters : never
