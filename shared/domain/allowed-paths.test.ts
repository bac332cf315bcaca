import { describe, expect, test } from 'vitest'
import { isAllowed } from './allowed-paths.ts'

const paths = { open: ['/srv', '/data', '/data/jobs/mine', '/both'], closed: ['/data/jobs', '/both'] }

describe('isAllowed', () => {
  test.each([
    ['/srv', true],
    ['/srv/a/b.jsonl', true],
    ['/srvs/a', false],
    ['/sr', false],
    ['/', false],
    ['/etc/passwd', false],
    ['/data/own.jsonl', true],
    ['/data/jobs', false],
    ['/data/jobs/1/samples.jsonl', false],
    ['/data/jobs-of-mine/a', true],
    ['/data/jobs/mine/a', true],
    ['/both/a', true],
    ['', false],
    ['work/a', false],
  ])('%j: %s', (path, allowed) => {
    expect(isAllowed(path, paths)).toBe(allowed)
  })

  test('of nothing that is open nothing is allowed, and of the root all but what is closed', () => {
    expect(isAllowed('/a', { open: [], closed: [] })).toBe(false)
    expect(isAllowed('/a', { open: ['/'], closed: ['/b'] })).toBe(true)
    expect(isAllowed('/b/a', { open: ['/'], closed: ['/b'] })).toBe(false)
  })
})
