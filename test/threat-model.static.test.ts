import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

/** A claim is a row `| what holds | file: name of the test[<br>file: name] |` of docs/threat-model.md. */
const claims = readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| What holds') && /`[^`]+\.ts`: /.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))

/** The names of tests may hold a bar, which ends a cell of a table: the page writes `¦`. */
const isThere = (file: string, name: string) =>
  existsSync(join(ROOT, file)) && readFileSync(join(ROOT, file), 'utf8').replaceAll('|', '¦').includes(name)

// Guarantee: whoever reads a promise of the threat model finds the test that keeps it, under the name that the page gives.
describe('docs/threat-model.md', () => {
  test('makes claims', () => {
    expect(claims.length).toBeGreaterThan(30)
  })

  test.each(claims)('%s%s is tested', (_, _claim, cited = '') => {
    const citations = cited.split('<br>').map((citation) => /^`([^`]+\.ts)`: (.+)$/.exec(citation.trim()))
    expect(citations).not.toContain(null)
    const missing = (citations as RegExpExecArray[]).filter(([, file = '', name = '']) => !isThere(file, name))
    expect(missing.map(([citation]) => citation)).toEqual([])
  })
})
