import { describe, expect, test } from 'vitest'
import { isAllowed } from './allowed-paths.ts'
import { withClosed } from './data-directory.ts'

const id = '01930000-0000-7000-8000-000000000000'
const files = [
  '/work/x/postgres/password',
  '/work/x/postgres/data/PG_VERSION',
  '/var/tmp/evalhub-1/password',
  '/var/tmp/evalhub-1/data/PG_VERSION',
]
const open = ['/work', '/var/tmp', `/work/y/jobs/${id}/0/mine`]

describe('withClosed', () => {
  // Guarantee: runs and database of any hub are closed, wherever they lie below what is open.
  test.each([
    ['/work/x/jobs', false],
    ['/work/x/jobs/s.jsonl', false],
    ['/work/x/postgres', false],
    ['/work/x/postgres/password', false],
    ['/work/x/postgres/data/base/1', false],
    ['/var/tmp/evalhub-1/password', false],
    [`/work/y/jobs/${id}/0`, false],
    [`/work/y/jobs/${id}/0/builtin/x/samples.jsonl`, false],
    [`/work/y/jobs/${id}/0/mine/rows.jsonl`, true],
    ['/work/x/rows.jsonl', true],
    ['/work/y/jobs/rows.jsonl', true],
    ['/work/y/jobs/monday/0/rows.jsonl', true],
    ['/work/postgres/password', true],
    ['/etc/passwd', false],
  ])('%s: %s', async (path, isOpen) => {
    const allowed = await withClosed(path, { open, closed: [] }, (file) => Promise.resolve(files.includes(file)))
    expect(isAllowed(path, allowed)).toBe(isOpen)
  })
})
