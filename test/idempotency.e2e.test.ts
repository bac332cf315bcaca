import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { dose } from './dose.ts'
import { startHubProcess } from './hub-process.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

const LIVES = dose(3, 6)
const SUBMITS_A_LIFE = 40

let folder: string
beforeEach(async () => {
  folder = await makeFolder()
})
afterEach(() => removeFolder(folder))

const start = () =>
  startHubProcess({
    dataDir: join(folder, 'data'),
    args: ['--catalogue', join(import.meta.dirname, 'catalogue')],
    env: { TEST_RECORD: join(folder, 'record') },
  })

type Answer = { status: number; id: string }

const JOB = { name: 'once', model: { url: 'http://localhost:1/v1', name: 'm' }, benchmarks: [{ provider_id: 'recorder', id: 'short' }] }
const BODIES = { jobs: JOB, collections: { ...JOB, category: 'c' } }

/** Undefined: the connection was lost, so the client does not know what became of it. */
async function create(url: string, noun: keyof typeof BODIES, key: string): Promise<Answer | undefined> {
  try {
    const response = await fetch(`${url}/api/v1/evaluations/${noun}`, {
      method: 'POST',
      headers: { 'Idempotency-Key': key },
      body: JSON.stringify({ ...BODIES[noun], name: key }),
    })
    const { resource } = (await response.json()) as { resource?: { id: string } }
    return { status: response.status, id: resource?.id ?? '' }
  } catch {
    return undefined
  }
}

// Guarantee: whoever repeats a request after a crash, whether it was before or after the commit, gets what the first one made, once.
test(`a request with a key that a kill -9 cut off is repeated without harm, ${LIVES} times`, { timeout: 180_000 }, async () => {
  const keys = Array.from({ length: SUBMITS_A_LIFE }, (_, at) => `key-${at}`)
  const known = new Map<string, Answer>()
  let lost = 0
  for (let life = 0; life < LIVES; life++) {
    const hub = await start()
    const enough = Promise.withResolvers<void>()
    let answered = 0
    const creations = (['jobs', 'collections'] as const).flatMap((noun) =>
      keys.map(async (key) => {
        const answer = await create(hub.url, noun, `${life}-${key}`)
        if (answer) known.set(`${noun}/${life}-${key}`, answer)
        else lost++
        // While others are still under way, some before and some after their commit.
        if (++answered > 5 * life) enough.resolve()
      }),
    )
    await enough.promise
    await hub.kill()
    await Promise.all(creations)
  }
  // Else the test has shown nothing.
  expect(lost).toBeGreaterThan(LIVES)
  expect(known.size).toBeGreaterThan(LIVES)

  const hub = await start()
  for (const [noun, status] of [
    ['jobs', 202],
    ['collections', 201],
  ] as const) {
    for (let life = 0; life < LIVES; life++) {
      for (const key of keys) {
        const again = await create(hub.url, noun, `${life}-${key}`)
        const first = known.get(`${noun}/${life}-${key}`)
        expect(again).toEqual(first ?? { status, id: again?.id })
      }
    }
    const scope = noun === 'jobs' ? '' : '&scope=tenant'
    const listed = await fetch(`${hub.url}/api/v1/evaluations/${noun}?limit=1${scope}`)
    expect(await listed.json()).toMatchObject({ total_count: LIVES * SUBMITS_A_LIFE })
  }
  await hub.stop()
})
