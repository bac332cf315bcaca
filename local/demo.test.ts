import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

let temporary: string

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'evalhub-test-'))
})
afterEach(() => rmSync(temporary, { recursive: true, force: true }))

/** The program itself, with a temporary folder of its own. */
function start(...argv: string[]) {
  const env = { ...process.env, TMPDIR: temporary, DATABASE_URL: 'postgres://not-to-be-used.invalid/x' }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'demo.ts'), ...argv], { env })
  const output = { out: '', err: '' }
  child.stdout.on('data', (chunk) => (output.out += chunk))
  child.stderr.on('data', (chunk) => (output.err += chunk))
  const ended = once(child, 'close').then(([code]) => code)
  return { child, output, ended }
}

describe('npm run demo', () => {
  test('explains itself', async () => {
    const { output, ended } = start('--help')
    expect(await ended).toBe(0)
    expect(output.out).toContain('Usage: npm run demo')
  })

  test('refuses arguments that it does not understand, with exit code 2', async () => {
    const { output, ended } = start('--model', 'x')
    expect(await ended).toBe(2)
    expect(output.err).toContain("Unknown option '--model'")
  })

  // Guarantee: nothing is left of a demo that somebody has seen enough of.
  test.each(['SIGINT', 'SIGTERM'] as const)('ends in order on %s in the middle of a run', { timeout: 60_000 }, async (signal) => {
    const { child, output, ended } = start()
    await expect.poll(() => output.out, { timeout: 40_000 }).toContain('arithmetic_problems: running')

    const [folder = ''] = readdirSync(temporary).filter((name) => name.startsWith('evalhub-demo-'))
    const database = realpathSync(join(temporary, folder, 'data/postgres'))
    child.kill(signal)

    expect(await ended).toBe(signal === 'SIGINT' ? 130 : 143)
    expect(output.out).toMatch(/Stopping …\n$/)
    expect(readdirSync(temporary).filter((name) => name.startsWith('evalhub-'))).toEqual([])
    expect(existsSync(database)).toBe(false)
  })

  test('leaves nothing when the reader of its output has gone', { timeout: 60_000 }, async () => {
    const { child, output, ended } = start()
    await expect.poll(() => output.out, { timeout: 40_000 }).toContain('Collection')
    child.stdout.destroy()
    expect(await ended).toBe(130)
    expect(readdirSync(temporary).filter((name) => name.startsWith('evalhub-'))).toEqual([])
  })
})
