import type { Pool } from '#db/client.ts'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { CollectionFile } from '#shared/models/collection.ts'
import { ProviderFile } from '#shared/models/provider.ts'

const provider = ProviderFile.parse({
  id: 'frame',
  name: 'Frame',
  runtime: { local: { command: 'true' } },
  benchmarks: [
    { id: 'first', name: 'First', url: 'http://docs/first', primary_score: { metric: 'acc' }, pass_criteria: { threshold: 0.5 } },
    { id: 'second', name: 'Second', primary_score: { metric: 'loss', lower_is_better: true }, pass_criteria: { threshold: 0.4 } },
  ],
})
const collection = CollectionFile.parse({
  id: 'pair-v1',
  name: 'Pair',
  category: 'general',
  pass_criteria: { threshold: 0.8 },
  benchmarks: [
    { id: 'first', provider_id: 'frame', weight: 3 },
    { id: 'second', provider_id: 'frame', parameters: { shots: 2 } },
  ],
})

/** The catalogue of the tests of routes. */
export async function syncTestCatalogue(db: Pool): Promise<void> {
  await syncCatalogue(db, { providers: [provider], collections: [collection] }, '0.0.0')
}
