import { constants } from 'node:fs'
import { lstat, mkdir, open, realpath, rm, rmdir, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

/** What a run's directory is named after. */
export type RunPlace = { evaluationId: string; benchmarkIndex: number; providerId: string; benchmarkId: string }

export type RunDirectory = {
  jobSpecPath: string
  /** The log, open for the adapter's output, which is appended. */
  output: FileHandle
  /** The log, open for reading and for making it smaller; whatever happens to its name, it stays this file. */
  log: FileHandle
}

const segmentBytesMax = 255
const pathBytesMax = 1024
const directoryMode = 0o750
const fileMode = 0o600

/**
 * Where a run's files lie below the base: `<job>/<index>/<provider>/<benchmark>`, source: section 10.1 of the published contract. Ids with
 * `/` give nested directories. Undefined for ids that would leave the base, or that no file system takes.
 */
export function placeBelow({ evaluationId, benchmarkIndex, providerId, benchmarkId }: RunPlace): string[] | undefined {
  const segments = [evaluationId, String(benchmarkIndex), ...providerId.split('/'), ...benchmarkId.split('/')]
  const isSafe = segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..' && !segment.includes('\0'))
  const isShort = segments.every((segment) => Buffer.byteLength(segment) <= segmentBytesMax)
  return isSafe && isShort && Buffer.byteLength(segments.join('/')) <= pathBytesMax ? segments : undefined
}

/** More than a job has benchmarks: each lost try means that the last run of the job with files was taken back at that very moment. */
const triesMax = 1000

/**
 * An empty directory for a new attempt, with its job.json; what an earlier attempt left is removed. Other runs' files are not touched.
 *
 * Adapters can write here, so no symbolic link on the way is followed. The job's folder may go just then with the last of its other runs:
 * then it is made again.
 */
export async function makeRunDirectory(base: string, segments: readonly string[], jobSpec: string): Promise<RunDirectory> {
  for (let tries = 1; ; tries++) {
    try {
      return await makeOnce(base, segments, jobSpec)
    } catch (error) {
      if (tries === triesMax || !isCode(error, 'ENOENT')) throw error
    }
  }
}

async function makeOnce(base: string, segments: readonly string[], jobSpec: string): Promise<RunDirectory> {
  await mkdir(base, { recursive: true, mode: 0o700 })
  const [evaluationId = '', index = ''] = segments
  await removeRun(join(base, evaluationId), index)
  const directory = await makeNested(await realpath(base), segments)
  const jobSpecPath = join(await makeNested(directory, ['meta']), 'job.json')
  const file = await open(jobSpecPath, 'wx', fileMode)
  try {
    await file.writeFile(jobSpec)
  } finally {
    await file.close()
  }
  const output = await open(join(directory, 'jobrun.log'), 'ax', fileMode)
  try {
    return { jobSpecPath, output, log: await open(join(directory, 'jobrun.log'), constants.O_RDWR | constants.O_NOFOLLOW) }
  } catch (error) {
    await output.close()
    throw error
  }
}

async function makeNested(base: string, segments: readonly string[]): Promise<string> {
  let path = base
  for (const segment of segments) {
    path = join(path, segment)
    await mkdir(path, { mode: directoryMode }).catch(unless('EEXIST'))
    const found = await lstat(path)
    if (!found.isDirectory()) throw new Error(`${path} is not a directory`)
  }
  return path
}

/** The run's directory; undefined if there is none, or a link on the way to it. */
async function runDirectory(base: string, segments: readonly string[]): Promise<string | undefined> {
  let path = base
  for (const segment of segments) {
    path = join(path, segment)
    if (!(await isDirectory(path))) return undefined
  }
  return path
}

/** The log that an earlier attempt left, for reading; undefined if there is none. */
export async function openLog(base: string, segments: readonly string[]): Promise<FileHandle | undefined> {
  const path = await runDirectory(base, segments)
  if (path === undefined) return undefined
  // What an adapter put in its place is not waited for, as a pipe would be, and not taken for a log.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const log = await open(join(path, 'jobrun.log'), flags).catch(unless('ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'))
  if (!log || (await log.stat()).isFile()) return log
  await log.close()
  return undefined
}

/** Removes what a run of it needed only while it ran. */
export async function removeFromRun(base: string, segments: readonly string[], name: string): Promise<void> {
  const path = await runDirectory(base, segments)
  if (path !== undefined) await remove(join(path, name))
}

/** Removes the files of a job, or of one run of it. Links are removed, never followed; what is not there is no error. */
export async function removeFiles(base: string, evaluationId: string, index?: string): Promise<void> {
  const job = join(base, evaluationId)
  if (index === undefined) return remove(job)
  await removeRun(job, index)
  await rmdir(job).catch(unless('ENOTEMPTY', 'EEXIST', 'ENOENT'))
}

/** Only the run's own folder: others of the job may start meanwhile. What stands in the place of the job's folder, a link say, goes too. */
async function removeRun(job: string, index: string): Promise<void> {
  // The removal itself says that it is a folder, in these codes; an answer that came before could be true no more.
  await unlink(job).catch(unless('EISDIR', 'EPERM', 'ENOENT'))
  await remove(join(job, index))
}

const remove = (path: string) => rm(path, { recursive: true, force: true, maxRetries: 3 })

/** True for a directory, false for a link to one and for nothing at all. */
const isDirectory = async (path: string): Promise<boolean> => (await lstat(path).catch(unless('ENOENT')))?.isDirectory() ?? false

/** Takes errors with these codes for an answer. */
const unless =
  (...codes: string[]) =>
  (error: unknown): undefined => {
    if (isCode(error, ...codes)) return undefined
    throw error
  }

const isCode = (error: unknown, ...codes: string[]) => error instanceof Error && 'code' in error && codes.includes(String(error.code))
