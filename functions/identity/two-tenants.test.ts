import { randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Pool } from '#db/client.ts'
import { appOn, callOn, event, JOB, test as base, type Answer, type Call } from '../test-app.ts'
import { TENANT_ROUTES } from '../test-routes.ts'

const test = base.extend('hub', { scope: 'file' }, async ({ db }) =>
  appOn(db, { mode: 'headers', runTokenKey: 'the key of run tokens in these tests', reporters: ['reporter'] }),
)

type Noun = 'jobs' | 'providers' | 'collections'

/** What exists, as a tenant that owns it may know it. */
type Thing = { noun: Noun; id: string; owner: string; name: string; state: 'pending' | 'running' | 'completed' | 'cancelled' }

/** Ids of the shipped catalogue, which all tenants see and none may change. */
const SHIPPED: Record<Noun, string[]> = { jobs: [], providers: ['frame'], collections: ['pair-v1'] }

/** All that is there, whoever owns it: the model that answers are compared with. */
type World = { db: Pool; callers: ReadonlyMap<string, Call>; things: Thing[]; made: number }

/** One request: who asks, which route, which of the things that there are (its own or not), and a number for the rest. */
type Step = { tenant: 0 | 1; route: string; target: number; dice: number }

const stepOf = fc.record<Step>({
  tenant: fc.constantFrom(0, 1),
  route: fc.constantFrom(...TENANT_ROUTES.map(({ name }) => name)),
  target: fc.nat(1000),
  dice: fc.nat(1000),
})

const ownedBy = (world: World, tenant: string, noun: Noun) => world.things.filter((thing) => thing.owner === tenant && thing.noun === noun)

/** Text that only `owner` may ever read: it is in all that it names. */
const markOf = (owner: string) => `mark-of-${owner}`

type Asked = { world: World; tenant: string; noun: Noun; thing: Thing | undefined; id: string; dice: number; call: Call }

const statusIs = async (answer: Promise<Answer>, status: number): Promise<Answer> => {
  const got = await answer
  expect(got).toMatchObject({ status })
  return got
}

/** The status that a look at one thing must have: nobody can tell another tenant's from what is not there. */
const found = ({ thing, id, noun }: Asked) => (thing || SHIPPED[noun].includes(id) ? 200 : 404)

async function create({ world, tenant, noun, call, dice }: Asked): Promise<Answer> {
  const name = `${markOf(tenant)}-${dice % 3}`
  // Of somebody, perhaps of another tenant: what is not the caller's is not there for it.
  const others = world.things.filter((thing) => thing.noun === (dice % 2 ? 'providers' : 'collections'))
  const other = others[dice % (others.length + 1)]
  const body = { ...bodyOf(noun, name), ...(noun === 'jobs' && other && uses(other)) }
  const isRefused = noun === 'jobs' && other !== undefined && other.owner !== tenant
  const status = isRefused ? 404 : noun === 'jobs' ? 202 : 201
  const key = `${markOf(tenant)}-${world.made++}`
  // The same key is another tenant's own, too.
  const headers = { 'Idempotency-Key': key.replace(markOf(tenant), 'key') }
  const answer = await statusIs(call('POST', `/${noun}`, body, headers), status)
  if (isRefused) return answer
  const { id } = answer.body.resource
  expect(answer.body.resource).toMatchObject({ tenant, owner: 'reporter' })
  world.things.push({ noun, id, owner: tenant, name, state: 'pending' })
  if (noun === 'jobs') await Promise.all([writeLog(world.db, id, markOf(tenant)), writeAttempt(world.db, id, markOf(tenant))])
  return answer
}

const bodyOf = (noun: Noun, name: string) =>
  ({
    jobs: { ...JOB, name, tags: [name], description: name },
    providers: { name, title: name, tags: [name], benchmarks: [{ id: 'first', name }] },
    collections: { name, category: name, tags: [name], benchmarks: [{ id: 'first', provider_id: 'frame' }] },
  })[noun]

const uses = ({ noun, id }: Thing) =>
  noun === 'providers' ? { benchmarks: [{ id: 'first', provider_id: id }] } : { benchmarks: undefined, collection: { id } }

const writeLog = (db: Pool, id: string, text: string) => db`
  insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
  values (${id}, 0, 1, 'local', 0, ${gzipSync(text)}, ${text.length}, now(), now())`

const writeAttempt = (db: Pool, id: string, message: string) => db`
  insert into evalhub.attempts (evaluation_id, benchmark_index, attempt, holder, message) values (${id}, 0, 1, 'bridge', ${message})`

async function list({ world, tenant, noun, call, dice }: Asked): Promise<Answer> {
  const name = `${markOf(world.things[dice % (world.things.length || 1)]?.owner ?? tenant)}-${dice % 3}`
  const filters = ['', `name=${name}`, `tags=${name}`, 'owner=reporter', 'owner=!reporter', 'limit=1', 'offset=1&limit=2']
  const filter = filters[dice % filters.length] ?? ''
  const answer = await statusIs(call('GET', `/${noun}?${filter}`), 200)

  const mine = ownedBy(world, tenant, noun).filter((thing) => !/^(name|tags)=/.test(filter) || thing.name === name)
  const shipped = /^(name|tags|owner=r)/.test(filter) ? [] : SHIPPED[noun]
  const visible = [...(filter === 'owner=!reporter' ? [] : mine.map(({ id }) => id)), ...shipped]
  expect(answer.body.total_count).toBe(visible.length)
  const ids: string[] = answer.body.items.map(({ resource }: { resource: { id: string } }) => resource.id)
  if (answer.body.limit >= 50) expect(ids.sort()).toEqual(visible.sort())
  expect(visible).toEqual(expect.arrayContaining(ids))
  expect('next' in answer.body).toBe(answer.body.limit < 50 && (filter === 'limit=1' ? 1 : 3) < visible.length)
  return answer
}

async function read(asked: Asked): Promise<Answer> {
  const answer = await statusIs(asked.call('GET', `/${asked.noun}/${asked.id}`), found(asked))
  if (asked.thing) expect(answer.body).toMatchObject({ name: asked.thing.name, resource: { id: asked.id, tenant: asked.tenant } })
  if (asked.thing?.noun === 'jobs') expect(answer.body.status.state).toBe(asked.thing.state)
  return answer
}

/** A change by PUT or PATCH of a provider or a collection. */
const change =
  (method: 'PUT' | 'PATCH') =>
  async ({ tenant, noun, thing, id, call, dice }: Asked): Promise<Answer> => {
    const name = `${markOf(tenant)}-${dice % 3}`
    const body = method === 'PUT' ? bodyOf(noun, name) : ['name', 'tags/0'].map((at) => ({ op: 'replace', path: `/${at}`, value: name }))
    const answer = await call(method, `/${noun}/${id}`, body)
    // Of a shipped one the patch may be refused before its owner is looked at; either way it is the caller's mistake.
    expect(answer.status).toBe(thing ? 200 : SHIPPED[noun].includes(id) ? 400 : 404)
    if (thing) thing.name = name
    return answer
  }

async function remove({ world, noun, thing, id, call, dice }: Asked): Promise<Answer> {
  const isHard = noun === 'jobs' && dice % 2 === 0
  const hasEnded = thing?.noun === 'jobs' && thing.state === 'completed' && !isHard
  const status = thing ? (hasEnded ? 409 : 204) : SHIPPED[noun].includes(id) ? 400 : 404
  const answer = await statusIs(call('DELETE', `/${noun}/${id}${isHard ? '?hard_delete=true' : ''}`), status)
  if (!thing || hasEnded) return answer
  if (noun === 'jobs' && !isHard) thing.state = 'cancelled'
  else world.things.splice(world.things.indexOf(thing), 1)
  return answer
}

async function report(asked: Asked): Promise<Answer> {
  const { thing, tenant, id, call, dice } = asked
  const status = dice % 3 === 0 ? 'completed' : 'running'
  // The one benchmark of the job, whatever provider it is of.
  const benchmark = thing ? (await call('GET', `/jobs/${id}`)).body.status.benchmarks : []
  const warning = { message: markOf(tenant), message_code: 'said' }
  const body = event(status, { warning_message: warning, metrics: { acc: 1 } }).benchmark_status_event
  const sent = { benchmark_status_event: { ...body, provider_id: benchmark[0]?.provider_id ?? 'frame' } }
  const isOver = thing?.state === 'completed' || thing?.state === 'cancelled'
  const answer = await statusIs(call('POST', `/jobs/${id}/events`, sent), thing ? (isOver ? 409 : 204) : 404)
  // A job with a collection has two benchmarks, and so is not over with its first.
  if (thing && !isOver) thing.state = status === 'completed' && benchmark.length === 1 ? 'completed' : 'running'
  return answer
}

/** A route that shows what a job's first run has said. */
const words = (path: (id: string) => string) => async (asked: Asked) => {
  const answer = await statusIs(asked.call('GET', path(asked.id)), asked.thing ? 200 : 404)
  if (asked.thing) expect(answer.text).toContain(markOf(asked.tenant))
  return answer
}

/** Two jobs, of which the second may name what is another tenant's, and is then refused alone. */
async function createBatch({ world, tenant, call, dice }: Asked): Promise<Answer> {
  const others = world.things.filter(({ noun }) => noun === 'providers')
  const other = others[dice % (others.length + 1)]
  const isRefused = other !== undefined && other.owner !== tenant
  const name = `${markOf(tenant)}-${dice % 3}`
  const jobs = [bodyOf('jobs', name), { ...bodyOf('jobs', name), ...(other && uses(other)) }]
  const answer = await statusIs(call('POST', '/batch/jobs', { jobs }, { 'Idempotency-Key': `key-${world.made++}` }), 200)
  expect(answer.body.items.map(({ status }: { status: number }) => status)).toEqual([202, isRefused ? 404 : 202])
  for (const { job } of answer.body.items) {
    if (!job) continue
    expect(job.resource).toMatchObject({ tenant, owner: 'reporter' })
    world.things.push({ noun: 'jobs', id: job.resource.id, owner: tenant, name, state: 'pending' })
    await Promise.all([writeLog, writeAttempt].map((write) => write(world.db, job.resource.id, markOf(tenant))))
  }
  return answer
}

/** Of all jobs that there are, whoever owns them. */
async function readStates({ world, tenant, id, call }: Asked): Promise<Answer> {
  const ids = [...world.things.filter(({ noun }) => noun === 'jobs').map((thing) => thing.id), randomUUID(), id]
  const own = new Map(ownedBy(world, tenant, 'jobs').map((thing) => [thing.id, thing.state]))
  const answer = await statusIs(call('POST', '/batch/jobs/states', { ids }), 200)
  const states = answer.body.items.map((item: { id: string; state: string }) => [item.id, item.state])
  expect(new Map(states)).toEqual(own)
  expect(answer.body.not_found).toEqual([...new Set(ids)].filter((asked) => !own.has(asked)))
  return answer
}

/** What each route must answer, by the end of its name: compared with the table of routes below. */
const ACTIONS: Record<string, (asked: Asked) => Promise<Answer>> = {
  'POST jobs': create,
  'GET jobs': list,
  'GET jobs/:id': read,
  'DELETE jobs/:id': remove,
  'POST jobs/:id/events': report,
  'GET jobs/:id/logs': words((id) => `/jobs/${id}/logs`),
  'GET jobs/:id/benchmarks/:index/logs': words((id) => `/jobs/${id}/benchmarks/0/logs`),
  'GET jobs/:id/benchmarks/:index/attempts': words((id) => `/jobs/${id}/benchmarks/0/attempts`),
  'POST batch/jobs': createBatch,
  'POST batch/jobs/states': readStates,
  ...Object.fromEntries(
    ['providers', 'collections'].flatMap((noun) => [
      [`POST ${noun}`, create],
      [`GET ${noun}`, list],
      [`GET ${noun}/:id`, read],
      [`PUT ${noun}/:id`, change('PUT')],
      [`PATCH ${noun}/:id`, change('PATCH')],
      [`DELETE ${noun}/:id`, remove],
    ]),
  ),
}

const shortName = (route: string) => route.replace('/api/v1/evaluations/', '')

async function take(world: World, tenants: readonly string[], { tenant: who, route, target, dice }: Step): Promise<void> {
  const action = ACTIONS[shortName(route)]!
  const noun = /(jobs|providers|collections)/.exec(route)![1] as Noun
  const tenant = tenants[who]!
  const ids = [...world.things.filter((thing) => thing.noun === noun).map(({ id }) => id), ...SHIPPED[noun], randomUUID()]
  const id = ids[target % ids.length]!
  const thing = ownedBy(world, tenant, noun).find((own) => own.id === id)
  const answer = await action({ world, tenant, noun, thing, id, dice, call: world.callers.get(tenant)! })

  const other = tenants[1 - who]!
  const said = answer.text + JSON.stringify([...answer.headers])
  // What the caller itself has said may come back: an id in a path, a filter in a link.
  expect(said.replaceAll(/"href":"[^"]*"/g, '')).not.toContain(other)
}

test('the model has every route', () => {
  expect(Object.keys(ACTIONS).sort()).toEqual(TENANT_ROUTES.map(({ name }) => shortName(name)).sort())
})

// Guarantee: a tenant's answers are those of a hub that it has for itself, whatever another does at any time.
test('two tenants, at random over every route, see what is theirs and the catalogue, and nothing else', async ({ hub, db }) => {
  const taken = new Set<string>()
  const property = fc.asyncProperty(fc.array(stepOf, { minLength: 20, maxLength: 120, size: 'max' }), async (steps) => {
    const tenants = [`tenant-${randomUUID()}`, `tenant-${randomUUID()}`]
    const callers = new Map(tenants.map((tenant) => [tenant, callOn(hub, { 'X-Tenant': tenant, 'X-User': 'reporter' })]))
    const world: World = { db, callers, things: [], made: 0 }
    for (const step of steps) {
      await take(world, tenants, step)
      taken.add(step.route)
    }
  })
  await fc.assert(property, { numRuns: 40, interruptAfterTimeLimit: 10_000 })
  expect(taken.size).toBe(TENANT_ROUTES.length)
})
