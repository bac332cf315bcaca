import { expect, test } from 'vitest'
import { isHelpWanted, usageOf } from './usage.ts'

test('usage has what it is, each setting on a line of its own, and where more is said', () => {
  const settings = [
    { name: 'PORT', aliases: ['P'], path: 'service.port', description: 'port to listen on', fallback: '80' },
    { name: 'MODE', aliases: [], path: 'identity.mode', description: '`none`: [identity.md](identity.md)' },
  ]
  const lines = usageOf({ command: 'npm run it', about: 'It is this.', settings, docs: ['docs/a.md', 'docs/b.md'] }).split('\n')
  expect(lines).toEqual(expect.arrayContaining(['Usage: npm run it', 'It is this.', 'Documentation: docs/a.md, docs/b.md']))
  expect(lines).toContain('  PORT, P (service.port): port to listen on (default 80)')
  expect(lines).toContain('  MODE (identity.mode): `none`: docs/identity.md')
})

test.each([
  [['--help'], true],
  [['-h'], true],
  [['--port', '1'], false],
  [[], false],
])('%j asks for help: %s', (argv, isWanted) => {
  expect(isHelpWanted(argv)).toBe(isWanted)
})
