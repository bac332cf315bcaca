import { describe, expect, test } from 'vitest'
import { complaintIn, remedyFor } from './postgres-complaint.ts'

describe('complaintIn', () => {
  test.each([
    ['the last line of what names nothing fatal', 'creating files\ninitdb: could not look up user 1\n', 'initdb: could not look up user 1'],
    ['what initdb calls an error', 'initdb: error: could not create directory "/x"\n', 'could not create directory "/x"'],
    [
      'the first fatal line, for those that follow are its consequences, and its hint',
      [
        '2026-11-23 00:14:07.485 UTC [17] LOG:  starting PostgreSQL',
        '2026-11-23 00:14:07.485 UTC [17] FATAL:  could not extend file "base/1/2691"',
        '2026-11-23 00:14:07.485 UTC [17] HINT:  Check free disk space.',
        '2026-11-23 00:14:07.486 UTC [17] PANIC:  cannot abort transaction 1',
      ].join('\n'),
      'could not extend file "base/1/2691" (Check free disk space.)',
    ],
    ['nothing in silence', '\n', undefined],
  ])('finds %s', (_, output, complaint) => {
    expect(complaintIn(output)).toBe(complaint)
  })
})

describe('remedyFor', () => {
  test.each([
    ['could not write lock file "postmaster.pid": No space left on device', 'free some space'],
    ["EACCES: permission denied, mkdir '/x'", '--data-dir'],
    ["EROFS: read-only file system, mkdir '/x'", '--data-dir'],
    ['"/x/postgres/data" is not a valid data directory', 'Move /x/postgres away'],
    ['spawn EPERM', 'as an ordinary user'],
    ['anything else', 'DATABASE_URL'],
  ])('of %s names %s', (reason, remedy) => {
    expect(remedyFor(reason, '/x/postgres')).toContain(remedy)
  })
})
