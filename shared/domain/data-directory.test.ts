import { describe, expect, test } from 'vitest'
import { isAllowed } from './allowed-paths.ts'
import { withClosed } from './data-directory.ts'

const id = '01930000-0000-7000-8000-000000000000'
const files = [
  '/srv/x/postgres/password',
  '/srv/x/postgres/data/PG_VERSION',
  '/var/tmp/evalhub-1/password',
  '/var/tmp/evalhub-1/data/PG_VERSION',
]
const open = ['/srv', '/var/tmp', `/srv/y/jobs/${id}/0/mine`]

describe('withClosed', () => {
  // Guarantee: runs and database of any hub are closed, wherever they lie below what is open.
  test.each([
    ['/srv/x/jobs', false],
    ['/srv/x/jobs/s.jsonl', false],
    ['/srv/x/postgres', false],
    ['/srv/x/postgres/password', false],
    ['/srv/x/postgres/data/base/1', false],
    ['/var/tmp/evalhub-1/password', false],
    [`/srv/y/jobs/${id}/0`, false],
    [`/srv/y/jobs/${id}/0/builtin/x/samples.jsonl`, false],
    [`/srv/y/jobs/${id}/0/mine/rows.jsonl`, true],
    ['/srv/x/rows.jsonl', true],
    ['/srv/y/jobs/rows.jsonl', true],
    ['/srv/y/jobs/monday/0/rows.jsonl', true],
    ['/srv/postgres/password', true],
    ['/etc/passwd', false],
  ])('%s: %s', async (path, isOpen) => {
    const allowed = await withClosed(path, { open, closed: [] }, (file) => Promise.resolve(files.includes(file)))
    expect(isAllowed(path, allowed)).toBe(isOpen)
  })
})
