import { connect, type Pool } from '#db/client.ts'
import { UNBOUNDED } from '#db/reserve.ts'
import { forTenant, openStore } from '#db/store.ts'
import { submit } from '#functions/submit.ts'
import { parseFilter, type Filter } from '#shared/domain/list-filter.ts'
import { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { MARKS } from './fill-jobs.ts'
import { NOTHING_LEFT } from './measure.ts'

/** What is submitted: one model, one benchmark of a provider that the benchmark's catalogue has. */
export const REQUEST = {
  name: 'bench',
  model: { url: 'http://localhost/v1', name: 'a-model' },
  benchmarks: [{ id: 'bench', provider_id: 'bench', parameters: { num_examples: 10 } }],
}

export const newId = uuidV7Source({ now: () => Date.now(), random: (bytes) => void crypto.getRandomValues(bytes) })

/** What an operation works on. */
export type Subject = {
  /** Jobs: the operation takes the next one each time. */
  ids: readonly string[]
  /** Runs that each job has. */
  runs: number
  tenant: string
}

const JOBS = '/api/v1/evaluations/jobs'
const BATCH = '/api/v1/evaluations/batch/jobs'
const BATCH_JOBS = 100

/** A request of the API, and the same statements through the same driver and pool without HTTP. `turn` counts the calls. */
export type Operation = {
  request: (subject: Subject, turn: number) => { method: string; path: string; body?: unknown } | typeof NOTHING_LEFT
  reference: (stores: Stores, subject: Subject, turn: number) => Promise<unknown>
}

type Stores = { store: ReturnType<typeof openStore>; tenantStore: ReturnType<typeof forTenant> }

const idAt = ({ ids }: Subject, turn: number) => ids[turn % ids.length] ?? ''

const eventAt = ({ ids, runs }: Subject, turn: number, status: 'running' | 'completed') => ({
  provider_id: 'bench',
  id: 'bench',
  benchmark_index: Math.floor(turn / ids.length) % runs,
  status,
  ...(status === 'running' ? { progress: 0.5 } : { metrics: { acc: 0.5 } }),
})

const submitOne = ({ tenantStore }: Stores) =>
  submit(tenantStore, { id: newId(), request: EvaluationJobConfig.parse(REQUEST), idempotency: undefined })

/** An event of each of the jobs' runs in turn; one that ends a run can be sent once. */
const event = (status: 'running' | 'completed'): Operation => {
  const isOver = ({ ids }: Subject, turn: number) => status === 'completed' && turn >= ids.length
  return {
    request: (subject, turn) =>
      isOver(subject, turn)
        ? NOTHING_LEFT
        : {
            method: 'POST',
            path: `${JOBS}/${idAt(subject, turn)}/events`,
            body: { benchmark_status_event: eventAt(subject, turn, status) },
          },
    reference: async ({ store }, subject, turn) =>
      isOver(subject, turn)
        ? NOTHING_LEFT
        : store.recordEvent({ evaluationId: idAt(subject, turn), event: eventAt(subject, turn, status) }, new Date().toISOString()),
  }
}

type Filters = { name?: string; tags?: string; status?: string }

const list = (filters: Filters, offset = 0): Operation => {
  const read = Object.fromEntries(Object.entries(filters).map(([field, text]) => [field, parseFilter(text, { canNegate: false })]))
  return {
    request: () => ({ method: 'GET', path: `${JOBS}?${new URLSearchParams({ ...filters, offset: String(offset) })}` }),
    reference: ({ tenantStore }) => tenantStore.listEvaluations(read as Record<string, Filter>, { limit: 50, offset }),
  }
}

/** Every fourth page is longer, so that it is read in two groups where its jobs have results of a usual size. */
const limitAt = (turn: number) => (turn % 4 === 0 ? 50 : 35)

const pagesOfTwoSizes: Operation = {
  request: (_, turn) => ({ method: 'GET', path: `${JOBS}?limit=${limitAt(turn)}` }),
  reference: async ({ tenantStore }, _, turn) => {
    const { more } = await tenantStore.listEvaluations({}, { limit: limitAt(turn), offset: 0 })
    if (more) for await (const { release } of more) release()
  },
}

export const OPERATIONS = {
  submit: { request: () => ({ method: 'POST', path: JOBS, body: REQUEST }), reference: submitOne },
  get: {
    request: (subject, turn) => ({ method: 'GET', path: `${JOBS}/${idAt(subject, turn)}` }),
    reference: ({ tenantStore }, subject, turn) => tenantStore.findEvaluation(idAt(subject, turn)),
  },
  progress: event('running'),
  end: event('completed'),
  'submit 100': {
    request: () => ({ method: 'POST', path: BATCH, body: { jobs: Array.from({ length: BATCH_JOBS }, () => REQUEST) } }),
    reference: (stores) => Promise.all(Array.from({ length: BATCH_JOBS }, () => submitOne(stores))),
  },
  'states 1000': {
    request: ({ ids }) => ({ method: 'POST', path: `${BATCH}/states`, body: { ids } }),
    reference: ({ tenantStore }, { ids }) => tenantStore.findJobStates(ids),
  },
  'first page': list({}),
  'page 1000': list({}, 999 * 50),
  'pages of two sizes': pagesOfTwoSizes,
  'status=completed': list({ status: 'completed' }),
  'status=running': list({ status: 'running' }),
  'a rare tag': list({ tags: MARKS.rareTag }),
  'a common tag': list({ tags: MARKS.commonTag }),
  'a name': list({ name: MARKS.name }),
} satisfies Record<string, Operation>

export type OperationName = keyof typeof OPERATIONS

/** The reference's side of an operation, on a pool of its own. */
export function openReference(url: string, name: OperationName, subject: Subject): { next: () => Promise<unknown>; db: Pool } {
  const db = connect(url)
  const store = openStore(db)
  const { tenant } = subject
  const tenantStore = forTenant(store, { tenant, user: '', everyTenant: tenant === '' }, UNBOUNDED)
  const operation: Operation = OPERATIONS[name]
  let turn = 0
  return { next: () => operation.reference({ store, tenantStore }, subject, turn++), db }
}
