/** Asks the hub, below `/api/v1/evaluations`. */
export type Call = (method: string, path: string, body: unknown) => Promise<{ status: number; text: string; body: any }> // oxlint-disable-line typescript/no-explicit-any -- of any route

/**
 * A request that takes as much work as the limits of its route allow, or asks for more than that, at a share from 0 to 1 of its worst size. `prepare`
 * makes what it is about.
 */
export type Worst = { name: string; prepare: (call: Call, share: number) => Promise<Asked> }

export type Asked = {
  method: string
  path: string
  body: string
  /** The status of its answer, at full size. */
  status: number
  /** What the hub has stored before, and works on for this request, as text. */
  stored: string
}

/** Of the catalogue of the tests. */
const ONE = { id: 'first', provider_id: 'frame' }

const MIB = 1024 * 1024

const times = <Value>(count: number, make: (at: number) => Value): Value[] => Array.from({ length: Math.ceil(count) }, (_, at) => make(at))
const members = (count: number) => Object.fromEntries(times(count, (at) => [`p${at}`, at]))
const jobOf = (more: object) => ({ name: 'job', model: { url: 'http://localhost:1/v1', name: 'm' }, ...more })

const asked = (method: string, path: string, body: unknown, status: number, stored = ''): Asked => ({
  method,
  path,
  body: JSON.stringify(body),
  status,
  stored,
})

async function created(call: Call, path: string, body: object): Promise<{ id: string; text: string }> {
  const answer = await call('POST', path, body)
  if (!answer.body?.resource) throw new Error(`${path} was answered with ${answer.status}: ${answer.text.slice(0, 1000)}`)
  return { id: answer.body.resource.id, text: answer.text }
}

/** Requests that stand for themselves. */
const alone = (name: string, method: string, path: string, status: number, body: (share: number) => unknown): Worst => ({
  name,
  prepare: async (_, share) => asked(method, path, body(share), status),
})
const submit = (name: string, status: number, more: (share: number) => object) =>
  alone(`submit of ${name}`, 'POST', '/jobs', status, (share) => jobOf(more(share)))

const collectionOf = (call: Call, benchmarks: object[], more: object = {}) =>
  created(call, '/collections', { name: 'c', category: 'c', benchmarks: benchmarks.map((one) => ({ ...ONE, ...one })), ...more })

/** Submits of a collection with what the job adds to it. */
const ofCollection = (name: string, entries: (share: number) => object[], overrides: (share: number) => object[]): Worst => ({
  name: `submit of a collection ${name}`,
  async prepare(call, share) {
    const { id, text } = await collectionOf(call, entries(share))
    return asked('POST', '/jobs', jobOf({ collection: { id, benchmarks: overrides(share).map((one) => ({ ...ONE, ...one })) } }), 202, text)
  },
})

const SUBMITS: Worst[] = [
  ofCollection(
    'with an override of each of its benchmarks',
    (share) => times(1000 * share, () => ({ parameters: { own: 1 } })),
    (share) => times(1000 * share, () => ({ parameters: members(10) })),
  ),
  ofCollection(
    'whose benchmarks all get many parameters',
    (share) => times(500 * share, () => ({})),
    () => [{ parameters: members(900) }],
  ),
  submit('6,000 overrides', 400, (share) => ({
    collection: { id: 'pair-v1', benchmarks: times(6000 * share, () => ({ ...ONE, parameters: members(10) })) },
  })),
  submit('as many benchmarks as are taken', 202, (share) => ({
    benchmarks: times(1000 * share, () => ({ ...ONE, parameters: members(10) })),
  })),
  submit('benchmarks that lack everything', 400, (share) => ({ benchmarks: times(1000 * share, () => ({})) })),
  submit('benchmarks of wrong types', 400, (share) => ({
    benchmarks: times(1000 * share, () => ({ id: 1, provider_id: 1, weight: '', parameters: 1 })),
  })),
  submit('100,000 wrong tags', 400, (share) => ({ tags: times(100_000 * share, () => ',') })),
  submit('digits that look like long numbers', 202, (share) => ({
    benchmarks: [ONE],
    custom: { text: times(3000 * share, () => '9'.repeat(299)).join(' ') },
  })),
  submit('as many members that nobody knows as are read', 202, (share) => ({ benchmarks: [ONE], ...members(149_990 * share) })),
  submit('200,000 members that nobody knows', 400, (share) => ({ benchmarks: [ONE], ...members(Math.max(200_000 * share, 150_001)) })),
  submit('as many members to keep as there is room for', 202, (share) => ({ benchmarks: [ONE], custom: members(100_000 * share) })),
  submit('many small values beside a number that looks too large', 202, (share) => ({
    benchmarks: [ONE],
    custom: { large: 1e300, list: times(280_000 * share, () => 1) },
  })),
  submit('many small values', 202, (share) => ({ benchmarks: [ONE], custom: { list: times(50_000 * share, () => ({})) } })),
]

const BATCHES: Worst[] = [
  {
    name: 'batch of 100 jobs of one collection',
    async prepare(call, share) {
      const { id } = await collectionOf(
        call,
        times(100, () => ({})),
      )
      return asked('POST', '/batch/jobs', { jobs: times(100 * share, () => jobOf({ collection: { id } })) }, 200)
    },
  },
  alone('batch of jobs whose benchmarks lack everything', 'POST', '/batch/jobs', 200, (share) => ({
    jobs: times(100 * share, () => jobOf({ benchmarks: times(300, () => ({})) })),
  })),
  alone('states of 100,000 ids', 'POST', '/batch/jobs/states', 400, (share) => ({ ids: times(100_000 * share, () => 'x') })),
  alone('states of as many ids as are taken', 'POST', '/batch/jobs/states', 200, (share) => ({
    ids: times(1000 * share, () => crypto.randomUUID()),
  })),
]

const event = (status: string, more: object = {}) => ({ benchmark_status_event: { ...ONE, benchmark_index: 0, status, ...more } })

type ForJob = { job?: (share: number) => object; status: number; body: (share: number) => unknown }

const eventOf = (name: string, { job = () => ({ benchmarks: [ONE] }), status, body }: ForJob): Worst => ({
  name: `event ${name}`,
  async prepare(call, share) {
    const { id, text } = await created(call, '/jobs', jobOf(job(share)))
    return asked('POST', `/jobs/${id}/events`, body(share), status, text)
  },
})

const EVENTS: Worst[] = [
  eventOf('with many metrics and their kinds', {
    status: 204,
    body: (share) =>
      event('completed', {
        metrics: members(10_000 * share),
        metrics_schema: times(10_000 * share, (at) => ({ name: `p${at}`, type: 'numeric' })),
      }),
  }),
  eventOf('with kinds of metrics that lack everything', {
    status: 400,
    body: (share) => event('completed', { metrics_schema: times(10_000 * share, () => ({})) }),
  }),
  eventOf('of one of many runs', {
    job: (share) => ({ benchmarks: times(1000 * share, () => ({ ...ONE, parameters: { text: 'x'.repeat(1000) } })) }),
    status: 204,
    body: () => event('running'),
  }),
  eventOf('that names its sidecar again and again, and a model with a long address', {
    job: (share) => ({ benchmarks: [ONE], model: { name: 'm', url: `http://localhost:1/${'a'.repeat(8000 * share)}` } }),
    status: 204,
    body: (share) => event('running', { error_message: { message: 'http://localhost:8080 '.repeat(2900 * share), message_code: 'c' } }),
  }),
]

const PROVIDERS: Worst[] = [
  alone('provider of many benchmarks', 'POST', '/providers', 201, (share) => ({
    name: 'p',
    benchmarks: times(5000 * share, (at) => ({ id: `b${at}`, metrics: ['acc'], tags: ['t'] })),
  })),
  alone('provider whose lists are too long together', 'POST', '/providers', 400, (share) => ({
    name: 'p',
    benchmarks: times(2000 * share, () => ({ metrics: times(50, () => 'm') })),
  })),
  alone('provider of benchmarks of wrong types', 'POST', '/providers', 400, (share) => ({
    name: 'p',
    benchmarks: times(10_000 * share, () => ({ id: 1, name: 1, url: 1, category: 1 })),
  })),
  {
    name: 'patch of a provider, of one benchmark again and again',
    async prepare(call, share) {
      const benchmarks = times(900 * share, (at) => ({ id: `b${at}`, name: 'b' }))
      const { id, text } = await created(call, '/providers', { name: 'p', benchmarks })
      const operations = times(900 * share, (at) => ({ op: 'replace', path: '/benchmarks/0', value: { id: `a${at}`, name: 'b' } }))
      return asked('PATCH', `/providers/${id}`, operations, 200, text)
    },
  },
]

const patchOf = (name: string, status: number, custom: (share: number) => object, operations: (share: number) => object[]): Worst => ({
  name: `patch of a collection ${name}`,
  async prepare(call, share) {
    const { id, text } = await collectionOf(call, [{}], { custom: custom(share) })
    return asked('PATCH', `/collections/${id}`, operations(share), status, text)
  },
})

const nested = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`) as unknown

const COLLECTIONS: Worst[] = [
  alone('collection of as many benchmarks as are taken', 'POST', '/collections', 201, (share) => ({
    name: 'c',
    category: 'c',
    benchmarks: times(1000 * share, () => ({ ...ONE, parameters: members(10) })),
  })),
  alone('collection with lists that are too long', 'POST', '/collections', 400, (share) => ({
    name: 'c',
    category: 'c',
    benchmarks: [ONE],
    domains: times(100_000 * share, () => 'd'),
  })),
  patchOf(
    'by 60,000 operations',
    400,
    () => ({}),
    (share) => times(60_000 * share, () => ({ op: 'add', path: '/tags/0', value: 'x' })),
  ),
  patchOf(
    'at the head of a long list',
    400,
    (share) => ({ list: times(100_000 * share, () => 1) }),
    (share) => times(1000 * share, () => ({ op: 'add', path: '/custom/list/0', value: 1 })),
  ),
  patchOf(
    'by pointers into the deep',
    200,
    () => ({ deep: nested(98) }),
    (share) => times(1000 * share, () => ({ op: 'replace', path: `/custom/deep${'/a'.repeat(98)}`, value: 1 })),
  ),
  patchOf(
    'by an operation with a long name',
    400,
    () => ({}),
    (share) => [{ op: 'o'.repeat(MIB * share), path: '/name', value: 'x' }],
  ),
]

/** One or several for each route that takes a body. */
export const WORST_BODIES: readonly Worst[] = [...SUBMITS, ...BATCHES, ...EVENTS, ...PROVIDERS, ...COLLECTIONS]
