import type { Idempotency } from '#db/commands/claim-key.ts'
import { SMALL_FOOTPRINT } from '#db/reserve.ts'
import type { TenantStore } from '#db/store.ts'
import { newJobFootprint, remarksFootprint } from '#shared/domain/job-footprint.ts'
import { resolveBenchmarks, snapshotsOf } from '#shared/domain/resolve-benchmarks.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import { HubError, notFound } from '#shared/errors.ts'
import type { EvaluationJob, EvaluationJobConfig } from '#shared/models/evaluation.ts'
import { createTurns, type Turns } from './turns.ts'

/** Threshold of a job's score where neither the job nor its collection has one. */
const DEFAULT_THRESHOLD = 0.5

type Submission = { id: string; request: EvaluationJobConfig; idempotency: Idempotency | undefined }

type Submits = Pick<TenantStore, 'requireRoom' | 'resolve' | 'reserve' | 'createEvaluation'>

const MIB = 1024 * 1024

/** What the jobs of one HTTP request may take together. */
export type RequestBudget = {
  turns: Turns
  /** Runs that they may still ask for. */
  runs: number
  /** Characters that the snapshots of these may still have. */
  characters: number
}

/** A short request can ask for a hundred jobs of a collection. */
const RUNS_MAX = 20_000
const CHARACTERS_MAX = 32 * MIB

export const requestBudget = (): RequestBudget => ({ turns: createTurns(), runs: RUNS_MAX, characters: CHARACTERS_MAX })

/** Judges a request by the catalogue as it is now, and stores it as job `id`, unless its key stands for another. Returns after the commit. */
export async function submit(store: Submits, { id, request, idempotency }: Submission, budget = requestBudget()): Promise<EvaluationJob> {
  store.requireRoom(idempotency)
  const collectionId = request.collection?.id
  const { collection, found } = await store.resolve(request)
  if (collectionId !== undefined && !collection) throw notFound('collection', collectionId)

  const named = collection && collectionId !== undefined ? { id: collectionId, config: collection.config } : undefined
  const { specs, footprint, snapshots } = await budget.turns.inOrder(() => {
    const runs = resolveBenchmarks(request, named, found)
    return makeRuns(request, runs, budget)
  })
  // A short request can ask for much.
  if (snapshots > SMALL_FOOTPRINT) await store.reserve(snapshots)
  return store.createEvaluation({
    id,
    request,
    specs,
    snapshots,
    footprint,
    aggregateThreshold: request.pass_criteria?.threshold ?? named?.config.pass_criteria?.threshold ?? DEFAULT_THRESHOLD,
    collectionUpdatedAt: collection?.updated_at ?? null,
    idempotency,
  })
}

/** The snapshots of a job, made in turns. */
async function makeRuns(request: EvaluationJobConfig, runs: readonly (() => RunSpec)[], budget: RequestBudget) {
  if (runs.length > budget.runs) throw tooMany(`more than ${RUNS_MAX} benchmarks`)
  budget.runs -= runs.length
  const footprint = newJobFootprint(request, runs.length)
  const specs: RunSpec[] = []
  let snapshots = 0
  for (const { spec, characters } of snapshotsOf(runs, footprint)) {
    specs.push(spec)
    snapshots = characters
    await budget.turns.pause()
  }
  if (snapshots > budget.characters) throw tooMany(`benchmarks of more than ${CHARACTERS_MAX / MIB} MiB`)
  budget.characters -= snapshots
  return { specs, footprint: footprint + remarksFootprint(specs), snapshots }
}

function tooMany(what: string): HubError {
  return HubError.of('request_validation_failed', {
    Error: `with this job, those of the batch have ${what} together; submit it in another`,
  })
}
