import { randomBytes } from 'node:crypto'
import { chown, lstat, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises'
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
  await discard(join(dataDir, 'postgres'))
}

async function open(path: string): Promise<Home> {
  const directory = await realpath(path).catch((cause) => {
    throw new Error(`the place of its data, to which ${path} leads, is gone`, { cause })
  })
  const password = await readFile(join(directory, 'password'), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'ENOENT' ? new Error(`${directory} is not a valid data directory of EvalHub`, { cause }) : cause
  })
  const account = await serverAccount(directory)
  if (account && !(await canUse(directory, account))) {
    throw new Error(
      `the hub is root, so the server runs as user ${account.uid}, who cannot use ${directory}: open the folders above it to others`,
    )
  }
  return { directory, account, password, binaries: await postgresBinaries(directory, account) }
}

async function create(path: string): Promise<void> {
  const account = await serverAccount()
  const unfinished = await mkdtemp(`${path}.new-`)
  try {
    const directory = await emptyHome(unfinished, account)
    await initialise(directory, account)
    await (directory === unfinished ? rename(unfinished, path) : symlink(directory, path))
  } catch (error) {
    await discard(unfinished).catch(() => undefined) // why it failed matters more
    if (!(await exists(path))) throw error
  }
  await discardUnfinished(path)
}

/** `directory` itself, or, where the account cannot use it, another one to which it becomes a link. */
async function emptyHome(directory: string, account: Account | undefined): Promise<string> {
  if (!account) return directory
  await chown(directory, account.uid, account.gid)
  if (await canUse(directory, account)) return directory

  const elsewhere = await mkdtemp('/var/tmp/evalhub-')
  await chown(elsewhere, account.uid, account.gid)
  await rmdir(directory)
  await symlink(elsewhere, directory)
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

/** What this start and earlier ones that were killed left beside a home that is complete. */
async function discardUnfinished(path: string): Promise<void> {
  const home = await realpath(path)
  for (const name of await readdir(dirname(path))) {
    const left = join(dirname(path), name)
    if (!name.startsWith(`${basename(path)}.new-`)) continue
    if ((await realpath(left).catch(() => undefined)) === home) await rm(left)
    else await discard(left).catch(() => undefined) // its initdb may still be writing: the next first start tries again
  }
}

/** Removes a home, and the link to it if there is one. */
async function discard(path: string): Promise<void> {
  await rm(await realpath(path).catch(() => path), { recursive: true, force: true })
  await rm(path, { force: true })
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}
