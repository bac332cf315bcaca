import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One key of a mounted Secret, without the line end that editors leave. Undefined if there is no such key, or it is empty. */
export async function readKey(directory: string, key: string): Promise<string | undefined> {
  const text = await readFile(join(directory, key), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return ''
    throw error
  })
  const value = text.replace(/(?<![\r\n])[\r\n]+$/, '')
  return value === '' ? undefined : value
}

/** As `readKey`; `secrets` is told what was read, so that it never stands in a message. */
export async function readCredential(directory: string, key: string, secrets: Set<string>): Promise<string | undefined> {
  const value = await readKey(directory, key)
  if (value !== undefined) secrets.add(value)
  return value
}

const isMissing = (error: unknown) => error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
