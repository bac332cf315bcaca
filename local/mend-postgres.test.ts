import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type postgres from 'postgres'
import { expect, vi } from 'vitest'
import { test } from '#db/test-db.ts'
import { forwardPort } from '../test/port-forward.ts'
import { mendConnection } from './mend-postgres.ts'

const DRIVER = fileURLToPath(new URL('../node_modules/postgres', import.meta.url))

async function mendedDriver(directory: string): Promise<typeof postgres> {
  await cp(DRIVER, join(directory, 'postgres'), { recursive: true })
  const file = join(directory, 'postgres/src/connection.js')
  const text = await readFile(file, 'utf8')
  await rm(file)
  await writeFile(file, mendConnection(text))
  const { default: driver } = (await import(pathToFileURL(join(directory, 'postgres/src/index.js')).href)) as { default: typeof postgres }
  return driver
}

// Without the repairs this ends the process that runs the tests.
test('a transaction whose connection is closed fails, and the pool goes on', async ({ databaseUrl }) => {
  const directory = await mkdtemp(join(tmpdir(), 'evalhub-driver-'))
  const url = new URL(databaseUrl)
  const port = Number(url.port)
  const forward = await forwardPort(port)
  url.port = String(forward.port)
  const sql = (await mendedDriver(directory))(url.href, { max: 2, backoff: () => 0.05, fetch_types: false })
  try {
    for (let round = 0; round < 5; round++) {
      const failing = sql.begin(async (tx) => {
        await tx`select 1`
        await forward.close()
        await new Promise((resolve) => setTimeout(resolve, 20))
        await tx`select 2`
      })
      await expect(failing).rejects.toThrow(/CONNECTION_CLOSED|ECONNRESET/)
      await forward.open(port)
      await vi.waitFor(async () => expect(await sql`select 3 as a`).toEqual([{ a: 3 }]), { timeout: 5000 })
    }
  } finally {
    await sql.end({ timeout: 1 })
    await forward.close()
    await rm(directory, { recursive: true })
  }
})
