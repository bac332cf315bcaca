import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { writeLines } from './write-lines.ts'

describe('writeLines', () => {
  test('writes the lines of a turn in one piece, in their order', async () => {
    const pieces: string[] = []
    const write = writeLines({ write: (text) => pieces.push(text) })
    for (const line of ['a', 'b']) write(line)
    await endOfTurn()
    write('c')
    await endOfTurn()
    expect(pieces).toEqual(['a\nb\n', 'c\n'])
  })

  test.each(['process.exit(0)', 'throw new Error("a bug")'])('loses no line of a process that ends with %s', async (end) => {
    const source = `import { writeLines } from ${JSON.stringify(join(import.meta.dirname, 'write-lines.ts'))}
      const write = writeLines(process.stdout)
      for (let at = 0; at < 3; at++) write('line ' + at)
      ${end}`
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', source])
    const { stdout } = await run.catch((error: { stdout: string }) => error)
    expect(stdout).toBe('line 0\nline 1\nline 2\n')
  })
})
