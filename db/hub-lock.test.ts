import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, vi } from 'vitest'
import { lockHub } from './hub-lock.ts'
import { test } from './test-db.ts'

describe('lockHub', () => {
  test('refuses a second hub, in words, until the first releases it', async ({ databaseUrl }) => {
    const first = await lockHub(databaseUrl, () => {})
    await expect(lockHub(databaseUrl, () => {})).rejects.toThrow('Another hub is running on this database')

    await first.release()
    const second = await lockHub(databaseUrl, () => {})
    await second.release()
  })

  // Guarantee: after kill -9 of a hub the next one starts without a manual step.
  test('is free again when the process that holds it is killed', async ({ databaseUrl }) => {
    const module = new URL('hub-lock.ts', import.meta.url)
    const program = `import { lockHub } from '${module}'; await lockHub('${databaseUrl}', () => {}); console.log('held')`
    const holder = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(holder.stdout, 'data')
    await expect(lockHub(databaseUrl, () => {})).rejects.toThrow('Another hub')

    holder.kill('SIGKILL')
    const next = await lockHub(databaseUrl, () => {})
    await next.release()
  })

  test('says so when the connection that holds it is lost, and only then', async ({ db, databaseUrl }) => {
    const onLost = vi.fn()
    await lockHub(databaseUrl, onLost)
    expect(onLost).not.toHaveBeenCalled()

    await db`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'evalhub lock' and datname = current_database()`
    await vi.waitFor(() => expect(onLost).toHaveBeenCalledOnce())

    const next = await lockHub(databaseUrl, onLost)
    await next.release()
    expect(onLost).toHaveBeenCalledOnce()
  })
})
