import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Db, Pool } from '#db/client.ts'
import { appendLog } from '#db/commands/append-log.ts'
import { removeExpiredKeys } from '#db/commands/claim-key.ts'
import { claimLaunches } from '#db/commands/claim-launches.ts'
import { clearLog } from '#db/commands/clear-log.ts'
import { deferLaunches } from '#db/commands/defer-launch.ts'
import { endRun } from '#db/commands/end-run.ts'
import { expireEvaluations, expireLogs } from '#db/commands/expire.ts'
import { purgeEvaluations } from '#db/commands/purge-evaluation.ts'
import { recordLaunches } from '#db/commands/record-launch.ts'
import { noteBridge } from '#db/commands/note-bridge.ts'
import { noteRuntime } from '#db/commands/note-runtime.ts'
import { noteStart } from '#db/commands/note-start.ts'
import { noteWaiting } from '#db/commands/note-waiting.ts'
import { listJobLines } from '#db/queries/job-lines.ts'
import { getHubId } from '#db/queries/hub-id.ts'
import { concludeAttempt } from '#db/commands/conclude-attempt.ts'
import { settleRuns } from '#db/commands/settle-run.ts'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { listPurgeableEvaluations } from '#db/queries/deleted-evaluations.ts'
import { findLastChunks } from '#db/queries/last-chunks.ts'
import { findLogEnd } from '#db/queries/log-end.ts'
import { listAttemptEnds, listLaunchWaits, nextSpan, readStandings } from '#db/queries/gauges.ts'
import { findLogPosition } from '#db/queries/log-position.ts'
import { listQueuedRuns } from '#db/queries/queued-runs.ts'
import { checkMigrated } from '#db/queries/readiness.ts'
import { listUnsettledRuns } from '#db/queries/unsettled-runs.ts'
import { UNBOUNDED } from '#db/reserve.ts'
import { forTenant, openStore, type TenantStore } from '#db/store.ts'
import { test } from '#db/test-db.ts'
import { specFor } from '#db/test-evaluation.ts'
import { parseFilter } from '#shared/domain/list-filter.ts'
import { CollectionConfig, CollectionFile } from '#shared/models/collection.ts'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { ProviderConfig, ProviderFile } from '#shared/models/provider.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'

const ROOT = join(import.meta.dirname, '..')
const NOW = '2026-11-23T12:00:00Z'
const newId = uuidV7Source({ now: Date.now, random: (bytes) => void crypto.getRandomValues(bytes) })

/** The fixed text of a template; what is put in between is marked only. */
const keyOf = (chunks: readonly string[]) => chunks.map((chunk) => chunk.replace(/\s+/g, ' ')).join('${}')

/** The template that begins after the backtick before `from`: its chunks, and where it ends. Templates inside of its values are passed over. */
function readTemplate(text: string, from: number): { chunks: string[]; end: number } {
  const chunks = ['']
  let at = from
  while (text[at] !== '`') {
    if (text.startsWith('${', at)) {
      at = endOfValue(text, at + 2)
      chunks.push('')
    } else {
      chunks.push(`${chunks.pop()}${text[at++]}`)
    }
  }
  return { chunks, end: at + 1 }
}

function endOfValue(text: string, from: number): number {
  let at = from
  for (let depth = 1; depth > 0;) {
    const character = text[at++]
    if (character === '{') depth++
    else if (character === '}') depth--
    else if (character === '`') at = readTemplate(text, at).end
  }
  return at
}

/** Every statement, and part of one, that the code of db/ has: `file: text`. */
function writtenIn(file: string): { file: string; key: string }[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return [...text.matchAll(/\b(?:db|tx)(?:<[^`;]*?>)?`/g)].map((match) => ({
    file,
    key: keyOf(readTemplate(text, match.index + match[0].length).chunks),
  }))
}

const written = globSync(['db/commands/*.ts', 'db/queries/*.ts', 'db/scope.ts', 'db/store.ts'], { cwd: ROOT })
  .filter((file) => !file.endsWith('.test.ts'))
  .flatMap(writtenIn)

/** `db`, which notes the text of each statement that goes through it, in transactions too. */
function noting<Connection extends Db>(db: Connection, seen: Set<string>): Connection {
  return new Proxy(db, {
    apply(target, self, args: [TemplateStringsArray | string, ...unknown[]]) {
      if (typeof args[0] !== 'string') seen.add(keyOf(args[0].raw))
      return Reflect.apply(target as (...all: unknown[]) => unknown, self, args)
    },
    get(target, name) {
      if (name !== 'begin') return Reflect.get(target, name)
      return (work: (tx: Db) => Promise<unknown>) => (target as Pool).begin((tx) => work(noting(tx, seen)))
    },
  })
}

const benchmarks = [{ id: 'b', provider_id: 'p', name: 'B' }]
const provider = ProviderConfig.parse({ name: 'n', runtime: { local: { command: 'true' } }, benchmarks })
const collection = CollectionConfig.parse({ name: 'n', category: 'c', benchmarks })
const request = { name: 'n', model: { url: 'http://h/v1', name: 'm' }, benchmarks: [{ id: 'b', provider_id: 'p' }] }
const newJob = (idempotency?: { key: string; bodyHash: string }) => ({
  id: newId(),
  request,
  specs: [specFor('true'), specFor('true')],
  aggregateThreshold: 0.5,
  collectionUpdatedAt: null,
  snapshots: 0,
  footprint: 0,
  idempotency,
})
const event = (status: string, more: object = {}) =>
  BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', benchmark_index: 0, status, ...more })

async function useCatalogue(db: Pool, store: TenantStore) {
  const key = { key: newId(), bodyHash: 'h' }
  const id = newId()
  for (const tried of [id, newId()]) {
    expect((await store.createProvider(tried, provider, key)).resource.id).toBe(id)
    expect((await store.createCollection(tried, collection, key)).resource.id).toBe(id)
  }
  await store.changeProvider(id, () => provider)
  await store.changeCollection(id, () => collection)
  await store.resolve({ ...request, collection: { id } })
  const filters = { name: parseFilter('n|m', { canNegate: false }), tags: parseFilter('a,b', { canNegate: false }) }
  for (const scope of ['system', 'tenant'] as const) {
    await store.listProviders({ ...filters, scope }, { limit: 5, offset: 1 }, scope === 'system')
    const words = { domains: parseFilter('a,b', { canNegate: false }), tasks: parseFilter('a|b', { canNegate: false }) }
    await store.listCollections({ tags: parseFilter('a|b', { canNegate: false }), words, scope }, { limit: 0, offset: 0 })
  }
  await store.findProvider(id)
  await store.findCollection(id)
  const long = db.json({ description: 'd'.repeat(2_000_000), benchmarks })
  await db`update evalhub.providers set config = config || ${long} where id = ${id}`
  await db`update evalhub.collections set config = config || ${long} where id = ${id}`
  for (const list of [store.listProviders, store.listCollections]) {
    for await (const { items } of (await list({}, { limit: 0, offset: 0 }, true)).more ?? []) expect(items).toHaveLength(1)
  }
  await store.findProvider(id)
  await store.findCollection(id)
  await expect(store.deleteProvider(id, ['another version'])).rejects.toThrow('changed')
  await store.deleteProvider(id)
  await store.deleteCollection(id)
}

async function useJobs(db: Pool, store: TenantStore) {
  const key = { key: newId(), bodyHash: 'h' }
  const { resource } = await store.createEvaluation(newJob(key))
  expect((await store.createEvaluation(newJob(key))).resource.id).toBe(resource.id)
  await db`update evalhub.idempotency_keys set expires_at = now()`
  const { id } = (await store.createEvaluation(newJob(key))).resource
  await removeExpiredKeys(db)
  await store.listEvaluations({}, { limit: 5, offset: 0 })
  await store.listEvaluations(
    { name: parseFilter('n', { canNegate: false }), owner: parseFilter('!ann,bob', { canNegate: true }) },
    { limit: 0, offset: 1 },
  )
  await store.listEvaluations({ status: parseFilter('pending|failed', { canNegate: true }) }, { limit: 0, offset: 1 })
  await store.listEvaluations(
    { status: parseFilter('!pending', { canNegate: true }), tags: parseFilter('a|b', { canNegate: false }) },
    { limit: 5, offset: 0 },
  )
  // Read piece by piece.
  await db`update evalhub.evaluations set footprint = 2000000 where id in (${id}, ${resource.id})`
  const { more } = await store.listEvaluations({}, { limit: 0, offset: 0 })
  for await (const { items } of more ?? []) expect(items.length).toBeLessThanOrEqual(2)
  await store.findEvaluation(id)
  await listJobLines(db, [id])
  await store.hasEvaluation(id)
  await store.findJobStates([id, resource.id])
  await store.listLogOwners(id)
  await store.listAttempts(id, 0)
  const owner = { benchmark_index: 0, benchmark_id: 'b', attempt: 1, container: 'local' as const }
  await store.findLogPieces(id, owner, { after: -1, backwards: false, sinceSeconds: undefined })
  await store.findLogPieces(id, owner, { after: 9, backwards: true, sinceSeconds: 60 })
  await expect(store.cancelEvaluation(id, NOW, ['another version'])).rejects.toThrow('changed')
  await store.cancelEvaluation(id, NOW)
  await store.deleteEvaluation(id, NOW)
  const large = await store.createEvaluation({ ...newJob({ key: newId(), bodyHash: 'h' }), snapshots: 2_000_000 })
  await store.deleteEvaluation(large.resource.id, NOW)
  return resource.id
}

async function useBridge(db: Pool, evaluationId: string) {
  const { claims, look } = await claimLaunches(db, { holder: 'bridge', limit: 2, leaseSeconds: 10 })
  await claimLaunches(db, { holder: 'bridge', limit: 2, leaseSeconds: 10, since: look })
  await deferLaunches(db, 'bridge', [{ queueId: claims[0]?.queueId ?? 0, delaySeconds: 0, reason: 'busy' }])
  await recordLaunches(
    db,
    'bridge',
    claims.slice(1).map((claim) => ({ ...claim, objectUid: 'pid:1' })),
  )
  const log = { evaluationId, benchmarkIndex: 0, attempt: 1 }
  const piece = { ...log, container: 'local', seq: 0, chunk: new Uint8Array([1]), bytes: 1, startByte: 0, firstAtMs: 0, lastAtMs: 1 }
  await appendLog(db, { ...piece, cut: { seq: 0, byte: 0 } })
  await findLogPosition(db, log, 'local', 1)
  await findLastChunks(db, log, 'adapter', 10)
  await findLogEnd(db, log, 'local', { withinSeconds: 2, headBytes: 1 })
  await clearLog(db, log)
  const failure = { ...log, failureClass: 'hub_restarted' as const, message: 'm' }
  await noteWaiting(db, [{ ...log, waiting: { kind: 'starting', message: 'm' } }])
  await noteStart(db, [{ ...log, node: 'n', startedSecondsAgo: 1, resources: {} }])
  await noteBridge(db)
  await noteRuntime(db, 'local')
  await getHubId(db)
  await concludeAttempt(db, { ...failure, isDisrupted: true }, NOW)
  await endRun(db, { ...failure, attempt: 2 }, NOW)
  await settleRuns(db, [{ ...log, attempt: 2, launch: { holder: 'bridge', objectUid: 'u', secondsAgo: 1 } }])
  await listQueuedRuns(db, 0, { limit: 10, dueSeconds: 0 })
  await listUnsettledRuns(db, { present: [log], limit: 10, everyLaunched: true })
  await purgeEvaluations(db, [...(await listPurgeableEvaluations(db, 10)), evaluationId])
}

async function useClock(db: Pool) {
  await checkMigrated(db)
  await readStandings(db)
  const span = await nextSpan(db, undefined, 0)
  await listLaunchWaits(db, span)
  await listAttemptEnds(db, await nextSpan(db, span.to, 0))
  await expireLogs(db, 1, 10)
  await expireEvaluations(db, 1, 10)
}

// Guarantee: no statement is first tried by a user. The server prepares each one, so a column that a migration renames is found here.
test('every statement and every part of one runs against the migrated schema', async ({ db, tenant }) => {
  expect(written.length).toBeGreaterThan(60)
  const seen = new Set<string>()
  const noted = noting(db, seen)
  const store = openStore(noted)
  const quotas = { openRuns: 100, jobsPerMinute: 100, storedBytes: Infinity, catalogueEntries: 100 }
  const own = forTenant(openStore(noted, quotas), { tenant, user: 'ann', everyTenant: false }, UNBOUNDED)
  const operator = forTenant(store, { tenant: '', user: '', everyTenant: true }, UNBOUNDED)

  const files = {
    providers: [ProviderFile.parse({ ...provider, id: 'p', deadline_seconds: 60 })],
    collections: [CollectionFile.parse({ ...collection, id: 'c' })],
  }
  await syncCatalogue(noted, files, '0.0.0')
  for (const one of [own, operator]) {
    await useCatalogue(noted, one)
    const id = await useJobs(noted, one)
    await store.findRequest(id)
    await store.recordEvent({ evaluationId: id, event: event('running') }, NOW)
    await store.recordEvent({ evaluationId: id, event: event('running', { phase: 'loading_data', progress: 0.5 }) }, NOW)
    await useBridge(noted, id)
    await store.recordEvent({ evaluationId: id, event: event('failed', { benchmark_index: 1 }), attempt: 1 }, NOW)
    await useClock(noted)
    await store.recordEvent({ evaluationId: id, event: event('completed', { benchmark_index: 1, metrics: { a: 1 } }) }, NOW)
  }

  expect(written.filter(({ key }) => !seen.has(key))).toEqual([])
})
