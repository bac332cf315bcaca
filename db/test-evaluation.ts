import { newJobFootprint } from '#shared/domain/job-footprint.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { RunState } from '#shared/models/states.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import type { Pool } from './client.ts'
import { createEvaluations } from './commands/create-evaluation.ts'

const newId = uuidV7Source({ now: Date.now, random: (bytes) => void crypto.getRandomValues(bytes) })

/** A run's snapshot for tests: a catalogue provider whose adapter is `command`. */
export const specFor = (command: string, spec: Partial<RunSpec> = {}): RunSpec => ({
  provider_id: 'provider',
  benchmark_id: 'benchmark',
  runtime: { local: { command } },
  from_catalogue: true,
  parameters: {},
  deadline_seconds: 3600,
  weight: 1,
  ...spec,
})

type Submit = { tenant?: string; secretRef?: string }

/** A job with one run a spec, as a submit stores it; answers its id. */
export async function submitSpecs(db: Pool, specs: readonly RunSpec[], { tenant = '', secretRef }: Submit = {}): Promise<string> {
  const id = newId()
  const auth = secretRef === undefined ? {} : { auth: { secret_ref: secretRef } }
  const request = { name: 'test', model: { url: 'http://localhost/v1', name: 'toy', ...auth } }
  const scope = { tenant, user: 'tester', everyTenant: false }
  const footprint = newJobFootprint(request, specs.length)
  const input = {
    id,
    scope,
    request,
    specs,
    snapshots: 0,
    aggregateThreshold: 0.5,
    collectionUpdatedAt: null,
    footprint,
    idempotency: undefined,
  }
  await createEvaluations(db, [input])
  return id
}

export type StoredRun = {
  state: RunState
  attempt: number
  message: string | null
  updated_at: string
  is_settled: boolean
  queued: number
}

/** The runs of a job as they are now, by index. */
export async function storedRuns(db: Pool, evaluationId: string): Promise<StoredRun[]> {
  return db<StoredRun[]>`
    select state, attempt, error_message ->> 'message' as message, to_json(updated_at) as updated_at, settled_at is not null as is_settled,
      (select count(*)::int from evalhub.launch_queue as queue
       where queue.evaluation_id = run.evaluation_id and queue.benchmark_index = run.benchmark_index) as queued
    from evalhub.runs as run where evaluation_id = ${evaluationId} order by benchmark_index`
}
