import { spawn, spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { vi } from 'vitest'

/** Why the real registry cannot be run here; undefined if it can. */
export function registryIsMissing(): string | undefined {
  const needed = ['docker-registry', 'htpasswd'].filter((program) => spawnSync(program, ['--help']).error)
  return needed.length === 0 ? undefined : `${needed.join(' and ')}: not installed (Debian: docker-registry, apache2-utils)`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Debian's docker-registry on loopback; with `account` it asks for it. */
export async function startRegistry(
  folder: string,
  account?: { user: string; password: string },
): Promise<{ host: string; stop: () => void }> {
  const port = await freePort()
  const root = join(folder, `registry-${port}`)
  await mkdir(root)
  const auth = account ? `auth:\n  htpasswd:\n    realm: test\n    path: ${root}/htpasswd\n` : ''
  if (account) {
    const { stdout } = spawnSync('htpasswd', ['-nbB', account.user, account.password])
    await writeFile(join(root, 'htpasswd'), stdout)
  }
  const storage = `storage:\n  filesystem:\n    rootdirectory: ${root}/data\n`
  await writeFile(join(root, 'config.yml'), `version: 0.1\n${storage}http:\n  addr: 127.0.0.1:${port}\n${auth}`)
  const child = spawn('docker-registry', ['serve', join(root, 'config.yml')], { stdio: 'ignore' })
  await vi.waitFor(() => fetch(`http://127.0.0.1:${port}/v2/`), 10_000)
  return { host: `127.0.0.1:${port}`, stop: () => child.kill() }
}
