import { expect, test } from 'vitest'
import type { Excess } from '#shared/domain/quota.ts'
import { createFullTenants } from './full-tenants.ts'

const excess = (more: Partial<Excess> = {}): Excess => ({
  quota: 'jobs_per_minute',
  used: 9,
  asked: 1,
  allowed: 9,
  waitSeconds: 30,
  ...more,
})

/** With a clock that only moves when it is told to. */
function withClock() {
  const clock = { ms: 0 }
  return { clock, full: createFullTenants(() => clock.ms) }
}

test('a tenant that has submitted all its jobs of a minute is full until the next, and no other is', () => {
  const { clock, full } = withClock()
  full.note('a', excess())
  expect([full.find('a'), full.find('b')]).toEqual([excess(), undefined])
  clock.ms = 29_500
  expect(full.find('a')).toEqual(excess({ waitSeconds: 1 }))
  clock.ms = 30_000
  expect(full.find('a')).toBeUndefined()
})

test.each(['open_runs', 'stored_bytes'] as const)(
  'one that has used up %s is for a second only: others give back what it lacks',
  (quota) => {
    const { clock, full } = withClock()
    full.note('a', excess({ quota }))
    clock.ms = 999
    expect(full.find('a')).toMatchObject({ quota, used: 9 })
    clock.ms = 1000
    expect(full.find('a')).toBeUndefined()
  },
)

test('one whose job was too large is not: a smaller one may fit', () => {
  const { full } = withClock()
  full.note('a', excess({ quota: 'open_runs', used: 8, asked: 2 }))
  expect(full.find('a')).toBeUndefined()
})
