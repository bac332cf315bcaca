import { randomBytes } from 'node:crypto'
import { chown, lstat, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { complaintOf, serverAccount } from './postgres-account.ts'
import type { Account } from './postgres-account.ts'
import { postgresBinaries } from './postgres-binaries.ts'

/**
 * A directory (0700) of the account that the server runs as:
 * `data/` (the cluster), `password`, `postgres.log`, and `server-<version>/` where a copy of the programs is needed.
 */
export type Home = { directory: string; account: Account | undefined; binaries: string; password: string }

/** The one role of the server: its superuser. */
export const role = 'evalhub'

/**
 * The home below `<dataDir>/postgres`, made at the first call.
 *
 * It appears there in one step, complete, so a start that is interrupted leaves nothing that looks like a database, and of
 * two that race one uses the other's. Where the server's account cannot enter `dataDir` (the hub runs as root below a
 * closed directory), the home lies under /var/tmp and `<dataDir>/postgres` is a symbolic link to it.
 */
export async function postgresHome(dataDir: string, log: (message: string) => void): Promise<Home> {
  await mkdir(dataDir, { recursive: true })
  const path = join(await realpath(dataDir), 'postgres')
  if (!(await exists(path))) {
    log(`Creating a database in ${path}`)
    await create(path)
  }
  return open(path)
}

/** Removes the home wherever it lies. The server must have been stopped. */
export async function removePostgres(dataDir: string): Promise<void> {
  const path = join(dataDir, 'postgres')
  if (!(await exists(path))) return
  await rm(await realpath(path), { recursive: true, force: true })
  await rm(path, { force: true })
}

async function open(path: string): Promise<Home> {
  const directory = await realpath(path).catch((cause) => {
    throw new Error(`its data, to which ${path} leads, are gone; remove ${path} to begin with an empty database`, { cause })
  })
  const account = await serverAccount(directory)
  if (account && !(await canUse(directory, account))) {
    throw new Error(
      `the user ${account.uid}, as whom it runs because the hub is root, cannot enter ${directory}; open the folders above it to others`,
    )
  }
  const password = await readFile(join(directory, 'password'), 'utf8')
  return { directory, account, password, binaries: await postgresBinaries(directory, account) }
}

async function create(path: string): Promise<void> {
  const account = await serverAccount()
  const unfinished = await emptyHome(path, account)
  try {
    await initialise(unfinished, account)
    const isElsewhere = dirname(unfinished) !== dirname(path)
    await (isElsewhere ? symlink(unfinished, path) : rename(unfinished, path))
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    if (!(await exists(path))) throw error
  }
  await removeUnfinished(path)
}

async function emptyHome(path: string, account: Account | undefined): Promise<string> {
  const beside = await mkdtemp(`${path}.new-`)
  if (!account) return beside
  await chown(beside, account.uid, account.gid)
  if (await canUse(beside, account)) return beside

  await rm(beside, { recursive: true })
  const elsewhere = await mkdtemp('/var/tmp/evalhub-')
  await chown(elsewhere, account.uid, account.gid)
  return elsewhere
}

/** By trying: no reading of modes knows of access lists, mounts and namespaces. */
async function canUse(directory: string, account: Account): Promise<boolean> {
  return (await complaintOf('/bin/sh', ['-c', 'test -w "$0" && test -x "$0"', directory], { account, cwd: '/' })) === undefined
}

async function initialise(directory: string, account: Account | undefined): Promise<void> {
  const passwordFile = join(directory, 'password')
  await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 })
  if (account) await chown(passwordFile, account.uid, account.gid)

  const binaries = await postgresBinaries(directory, account)
  const credentials = ['--username', role, '--pwfile', passwordFile, '--auth', 'scram-sha-256']
  const encoding = ['--encoding', 'UTF8', '--locale-provider', 'builtin', '--locale', 'C', '--builtin-locale', 'C.UTF-8']
  const options = ['--pgdata', join(directory, 'data'), ...credentials, ...encoding, '--no-instructions']
  const complaint = await complaintOf(join(binaries, 'initdb'), options, { account, cwd: directory })
  if (complaint !== undefined) throw new Error(complaint)
}

/** What earlier starts left that were killed while they made a home. */
async function removeUnfinished(path: string): Promise<void> {
  const leftovers = (await readdir(dirname(path))).filter((name) => name.startsWith(`${basename(path)}.new-`))
  await Promise.all(leftovers.map((name) => rm(join(dirname(path), name), { recursive: true, force: true })))
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}
