import { connect } from '#db/client.ts'
import { forTenant, openStore } from '#db/store.ts'
import { resolveBenchmarks } from '#shared/domain/resolve-benchmarks.ts'
import { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'

export const OPERATIONS = ['submit', 'get', 'event'] as const
export type Operation = (typeof OPERATIONS)[number]

/** What is submitted: one model, one benchmark of a provider that the benchmark's catalogue has. */
export const REQUEST = {
  name: 'bench',
  model: { url: 'http://localhost:11434/v1', name: 'a-model' },
  benchmarks: [{ id: 'bench', provider_id: 'bench', parameters: { num_examples: 10 } }],
}

export const EVENT = { provider_id: 'bench', id: 'bench', benchmark_index: 0, status: 'running' as const, progress: 0.5 }

/** The same statements as the routes', through the same driver and pool, without HTTP. */
export function openReference(url: string, ids: readonly string[]) {
  const db = connect(url)
  const store = openStore(db)
  const tenantStore = forTenant(store, { tenant: '', user: '', everyTenant: true })
  const newId = uuidV7Source({ now: () => Date.now(), random: (bytes) => void crypto.getRandomValues(bytes) })
  const request = EvaluationJobConfig.parse(REQUEST)
  let turn = 0
  const id = () => ids[turn++ % ids.length] ?? ''

  const operations: Record<Operation, () => Promise<unknown>> = {
    async submit() {
      const { found } = await tenantStore.resolve(request)
      const specs = resolveBenchmarks(request, undefined, found)
      return tenantStore.createEvaluation({
        id: newId(),
        request,
        specs,
        aggregateThreshold: 0.5,
        collectionUpdatedAt: null,
        idempotency: undefined,
      })
    },
    get: () => tenantStore.findEvaluation(id()),
    event: () => store.recordEvent({ evaluationId: id(), event: EVENT }, new Date().toISOString()),
  }
  return { operations, close: () => db.end() }
}
