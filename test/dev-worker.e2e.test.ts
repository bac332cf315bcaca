import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClient } from '#sdk/index.ts'
import { runHubProcess, startHubProcess } from './hub-process.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

let folder: string
let dataDir: string
beforeEach(async () => {
  folder = await makeFolder()
  dataDir = join(folder, 'data')
})
afterEach(() => removeFolder(folder))

const entry = 'dev-worker'

describe('npm run dev:worker', () => {
  test('serves the catalogue and what an earlier one stored; Ctrl-C ends it and its database', async () => {
    const first = await startHubProcess({ entry, dataDir })
    const { evaluations } = createClient({ baseUrl: first.url })
    const benchmarks = [{ provider_id: 'builtin', id: 'arithmetic_problems' }]
    const { resource } = await evaluations.submit({ name: 'kept', model: { url: 'http://localhost/v1', name: 'm' }, benchmarks })
    expect(await first.stop()).toMatchObject({ code: 0 })
    await expect(fetch(first.url)).rejects.toThrow('fetch failed')

    const second = await startHubProcess({ entry, dataDir })
    expect(await createClient({ baseUrl: second.url }).evaluations.get(resource.id)).toMatchObject({ name: 'kept' })
    const { stderr } = await second.stop()
    // It would go on with a server that the first had left running, and say so.
    expect(stderr).not.toContain('still runs')
  })

  test('keeps to a database that no other hub uses', async () => {
    const hub = await startHubProcess({ dataDir })
    expect(await runHubProcess({ entry, dataDir })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^evalhub: Another hub is running/m),
    })
    expect(await createClient({ baseUrl: hub.url }).health()).toMatchObject({ status: 'healthy' })
    await hub.stop()
  })

  test('says what is wrong with its options, all at once, and which port is taken', async () => {
    const wrong = await runHubProcess({ entry, dataDir, args: ['--port', 'x', '--data-dir', ''] })
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/^evalhub: --port .*; --data-dir /m) })
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const taken = await runHubProcess({ entry, dataDir, args: ['--port', String(port)] })
    other.close()
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringMatching(new RegExp(`^evalhub: .*${port}`, 'm')) })
    expect(taken.stderr).not.toMatch(/\n\s+at /)
  })
})
