import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { NODE_CHECK, nodeComplaint } from './node-version.ts'

/** Runs code as if this Node were of another version. */
const runAs = (version: string, code: string) =>
  promisify(execFile)(process.execPath, ['-e', `Object.defineProperty(process.versions, 'node', { value: '${version}' }); ${code}`]).then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    (error: { code: number; stderr: string }) => ({ code: error.code, said: error.stderr }),
  )

test.each(['18.20.8', '20.20.2', '22.23.5', '23.11.1'])('Node %s is told which one is needed, in one line', async (version) => {
  const line = `evalhub: needs Node 24 or newer, and this is Node ${version}`
  expect(nodeComplaint(version)).toBe(line)
  expect(await runAs(version, `${NODE_CHECK}; console.log('went on')`)).toEqual({ code: 1, said: `${line}\n` })
})

test.each(['24.0.0', '26.1.0', '100.0.0'])('Node %s will do', async (version) => {
  expect(nodeComplaint(version)).toBeUndefined()
  expect(await runAs(version, `${NODE_CHECK}; console.log('went on')`)).toEqual({ code: 0, said: 'went on\n' })
})
