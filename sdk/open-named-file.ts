import { constants } from 'node:fs'
import { open, readlink, realpath, stat, type FileHandle } from 'node:fs/promises'
import { isAllowed, type AllowedPaths } from '#shared/domain/allowed-paths.ts'
import { withClosed } from '#shared/domain/data-directory.ts'

/** What says that a path leads to no file. */
const MISSING = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ENXIO', 'ERR_INVALID_ARG_VALUE']
/** What says that it leads to one that is out of reach; who may not name it does not learn that either. */
const CLOSED = ['EACCES', 'EPERM']

/**
 * Opens a plain file that a job names, for reading. Undefined if there is none, or if it does not lie where `allowed` says, or lies among
 * the runs or in the database of any hub: whoever asks does not learn which. Links are followed. They may change meanwhile: what counts is where the file lies that was opened.
 *
 * Without `allowed` every file may be named: in a container that is all its own.
 */
export async function openNamedFile(path: string, allowed: AllowedPaths | undefined): Promise<FileHandle | undefined> {
  const codes = allowed ? [...MISSING, ...CLOSED] : MISSING
  const nothing = (error: unknown): undefined => {
    if (error instanceof Error && 'code' in error && codes.includes(String(error.code))) return undefined
    throw error
  }
  const real = await realpath(path).catch(nothing)
  // Not opened before it is known for a plain file: a device may act on that.
  if (real === undefined || (allowed && !(await mayBeNamed(real, allowed))) || !(await stat(real).catch(nothing))?.isFile())
    return undefined
  const file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY).catch(nothing)
  if (file && (!(await file.stat()).isFile() || (allowed && !(await mayBeNamed(await placeOf(file, real), allowed))))) {
    await file.close()
    return undefined
  }
  return file
}

async function mayBeNamed(path: string, allowed: AllowedPaths): Promise<boolean> {
  if (!isAllowed(path, allowed)) return false
  const exists = (file: string) =>
    stat(file).then(
      () => true,
      () => false,
    )
  return isAllowed(path, await withClosed(path, allowed, exists))
}

/** Where an open file lies. Empty if that cannot be known. */
async function placeOf(file: FileHandle, path: string): Promise<string> {
  if (process.platform === 'linux') return readlink(`/proc/self/fd/${file.fd}`)
  const now = await realpath(path)
  const [opened, found] = [await file.stat({ bigint: true }), await stat(now, { bigint: true })]
  return opened.ino === found.ino && opened.dev === found.dev ? now : ''
}
