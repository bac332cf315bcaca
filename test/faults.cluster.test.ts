import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_CLUSTER } from './cluster.ts'
import { findBinaries } from './control-plane.ts'
import { dose } from './dose.ts'
import { FAULTS, suffer, type Dose } from './faults/faults.ts'
import { startWorld, type World } from './faults/world.ts'

/** A small dose of each; `npm run soak` has the full ones. */
const SMALL: Dose = { jobs: 12, points: 3 }
const DOSES: Readonly<Record<string, Dose>> = { 'the bridge is killed at any moment': { jobs: dose(15, 30), points: dose(5, 10) } }

let world: World | undefined

beforeAll(async () => {
  const binaries = findBinaries()
  if (binaries !== undefined) world = await startWorld(binaries)
})
afterAll(() => world?.stop())

// Guarantee: every run ends, once, by one Job; no acknowledged result is lost; nothing is left over; nobody waits without being told why.
describe('whatever happens, the history is right', () => {
  test.for(FAULTS)('$name', async (fault, { skip }) => {
    if (FAULTS.indexOf(fault) % dose(3, 1) !== 0) skip('it is one of the faults that are tried by TEST_DOSE=full, as .ci/run does')
    expect(await suffer(world ?? skip(NO_CLUSTER), fault, DOSES[fault.name] ?? SMALL)).toEqual([])
  })
})
