import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { InitError } from './init-error.ts'

export type StagingLimits = { maxBytes: number; maxFiles: number }

/** Files on their way to the target. What is kept of a download that fails is nothing. */
export type Staging = {
  /** A directory for what is only needed on the way. */
  scratch: string
  /** Writes one file; `path` is relative, with slashes. Refuses paths that leave the target, and what goes beyond the limits. */
  save(path: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>
  /** Puts all that was saved in its place. */
  commit(): Promise<{ files: number; bytes: number }>
  discard(): Promise<void>
}

/** In the target, since only within one file system is a rename one step. */
const incomplete = '.evalhub-incomplete'

// Images have users of their own: what one container downloads, another one's user must be able to read.
const fileMode = 0o644
const directoryMode = 0o755

export async function openStaging(target: string, { maxBytes, maxFiles }: StagingLimits): Promise<Staging> {
  const base = join(target, incomplete)
  const directory = join(base, 'files')
  const scratch = join(base, 'scratch')
  await rm(base, { recursive: true, force: true })
  await mkdir(directory, { recursive: true, mode: directoryMode })
  await mkdir(scratch)
  let [files, bytes] = [0, 0]

  return {
    scratch,
    async save(path, content, signal) {
      const parts = partsOf(path)
      if (++files > maxFiles) throw new InitError(`there are more than ${maxFiles} files; name a smaller part of the data`)
      const file = join(directory, ...parts)
      let written = 0
      const counted = async function* (source: AsyncIterable<Uint8Array>) {
        for await (const chunk of source) {
          written += chunk.length
          bytes += chunk.length
          if (bytes > maxBytes) throw new InitError(`the data have more than ${maxBytes} bytes; name a smaller part of them`)
          yield chunk
        }
      }
      try {
        await mkdir(join(file, '..'), { recursive: true, mode: directoryMode })
        await pipeline(content, counted, createWriteStream(file, { flags: 'wx', mode: fileMode }), { signal })
      } catch (error) {
        files--
        bytes -= written
        if (isConflict(error)) throw new InitError(`${path} is there twice, or is both a file and a directory`, { cause: error })
        await rm(file, { force: true })
        throw error
      }
    },
    async commit() {
      for (const name of await readdir(directory)) {
        // Of a container that was started again.
        await rm(join(target, name), { recursive: true, force: true })
        await rename(join(directory, name), join(target, name))
      }
      await rm(base, { recursive: true })
      return { files, bytes }
    },
    discard: () => rm(base, { recursive: true, force: true }),
  }
}

/** The parts of a path that stays where it is put. */
export function partsOf(path: string): string[] {
  const parts = path.split('/')
  const isSafe = parts.every(
    (part) => part !== '' && part !== '.' && part !== '..' && !part.includes('\0') && Buffer.byteLength(part) <= 255,
  )
  if (!isSafe || parts[0] === incomplete) throw new InitError(`${JSON.stringify(path)} cannot be the path of a file here`)
  return parts
}

const isConflict = (error: unknown) =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && ['EEXIST', 'ENOTDIR', 'EISDIR'].includes(error.code)
