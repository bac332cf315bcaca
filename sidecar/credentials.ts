import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * One key of a mounted Secret, without the line end that editors leave. Undefined if there is no such key, or it is empty.
 *
 * What it has read, `secrets` is told, so that it never stands in a message.
 */
export async function readCredential(directory: string, key: string, secrets: Set<string>): Promise<string | undefined> {
  const text = await readFile(join(directory, key), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return ''
    throw error
  })
  const value = text.replace(/[\r\n]+$/, '')
  if (value !== '') secrets.add(value)
  return value === '' ? undefined : value
}

const isMissing = (error: unknown) => error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
