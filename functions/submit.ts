import type { Idempotency } from '#db/commands/claim-key.ts'
import { SMALL_FOOTPRINT } from '#db/reserve.ts'
import type { TenantStore } from '#db/store.ts'
import { newJobFootprint } from '#shared/domain/job-footprint.ts'
import { resolveBenchmarks, snapshotsLength } from '#shared/domain/resolve-benchmarks.ts'
import { notFound } from '#shared/errors.ts'
import type { EvaluationJob, EvaluationJobConfig } from '#shared/models/evaluation.ts'

/** Threshold of a job's score where neither the job nor its collection has one. */
const DEFAULT_THRESHOLD = 0.5

type Submission = { id: string; request: EvaluationJobConfig; idempotency: Idempotency | undefined }

/** Judges a request by the catalogue as it is now, and stores it as job `id`, unless its key stands for another. Returns after the commit. */
export async function submit(store: TenantStore, { id, request, idempotency }: Submission): Promise<EvaluationJob> {
  const collectionId = request.collection?.id
  const { collection, found } = await store.resolve(request)
  if (collectionId !== undefined && !collection) throw notFound('collection', collectionId)

  const named = collection && collectionId !== undefined ? { id: collectionId, config: collection.config } : undefined
  const specs = resolveBenchmarks(request, named, found)
  const footprint = newJobFootprint(request, specs.length)
  const snapshots = snapshotsLength(specs)
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
