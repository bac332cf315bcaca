import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { baseImageOf } from './base-image.ts'

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`
const TAG = 'registry.example/evalhub:1.0.0'

describe('a release', () => {
  test('is built on an image that a digest names', () => {
    for (const base of [`registry.example/node@${DIGEST}`, `registry.example:5000/team/node:24@${DIGEST}`]) {
      expect(baseImageOf({ base }, TAG)).toBe(base)
    }
  })

  test.for([
    'registry.example/node',
    'registry.example/node:24',
    'registry.example/node:latest',
    'localhost/node:24',
    `registry.example/node:${DIGEST}`,
    `@${DIGEST}`,
    `node@${DIGEST.slice(0, -1)}`,
    `node@${DIGEST}0`,
    `node@${DIGEST.toUpperCase()}`,
    `node@sha512:${'a'.repeat(64)}`,
    `node@${DIGEST} --privileged`,
    `node@${DIGEST}\nnode:latest`,
    '',
  ])('is not built on %j', (base) => {
    expect(() => baseImageOf({ base }, TAG)).toThrow(/--base must be NAME@sha256:DIGEST/)
  })

  test('is not built on what nobody named, nor on two', () => {
    expect(() => baseImageOf({}, TAG)).toThrow(/either --base .* or --local-base/)
    expect(() => baseImageOf({ base: `node@${DIGEST}`, 'local-base': 'localhost/node:24' }, TAG)).toThrow(/either/)
  })

  test('has no base that the Containerfile would choose for it', () => {
    const containerfile = readFileSync(join(import.meta.dirname, '../infra/images/Containerfile'), 'utf8')
    const lines = containerfile.split('\n').filter((line) => /^(ARG|FROM)\b/.test(line))
    expect(lines).toEqual(['ARG BASE', 'FROM ${BASE}'])
  })
})

describe('a local base', () => {
  test('is one of this machine, and what is built on it is too', () => {
    expect(baseImageOf({ 'local-base': 'localhost/node:24' }, 'localhost/evalhub:0.1.0')).toBe('localhost/node:24')
    expect(() => baseImageOf({ 'local-base': 'registry.example/node:24' }, 'localhost/evalhub:0.1.0')).toThrow(/--local-base must be/)
    expect(() => baseImageOf({ 'local-base': 'localhost/node:24' }, TAG)).toThrow(/stays local/)
  })
})

test('npm run image refuses before it builds anything, and says what to give', async () => {
  const args = [join(import.meta.dirname, 'build-image.ts'), '--base', 'registry.example/node:latest', '--tag', TAG]
  const refused = promisify(execFile)(process.execPath, args)
  await expect(refused).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/--base must be.*Usage: npm run image/s),
  })
})
