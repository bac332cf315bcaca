import { constants } from 'node:fs'
import { lstat, open, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { SECRET_FILE_MAX_BYTES } from '#shared/domain/model-secret.ts'
import type { RunEnd } from '../runtime.ts'
import { secretsToHide, type Hidden } from '../redact.ts'

const KEY = 'api-key'
/** Files in which the published SDK looks for the keys of a model. */
const KEYS = [KEY, 'hf-token']
/** What it reads beside: a folder with one of these may do without `api-key`. */
const OTHERS = ['hf-token', 'ca_cert']
/** What has more is not read: everything is hidden then. */
const lengthMax = 1024 * 1024

/** What a user is to do. */
export const HOW_TO_GIVE_A_KEY = `It must be a folder on this machine with the file ${KEY}, which holds the key alone; a model without a key needs no secret_ref`

/** Values that must not appear in a run's log, from the folder of its model's secret; without one there are none. */
export async function readModelSecrets(folder: string | undefined): Promise<Hidden> {
  if (folder === undefined) return []
  // Whatever keeps us from reading one keeps the adapter, which is the same user, from it too.
  const values = await Promise.all(KEYS.map((name) => readSmall(join(folder, name)).catch(() => '')))
  return values.includes(undefined) ? 'everything' : secretsToHide(values.filter((value) => value !== undefined))
}

/** Why the folder of a model's secret gives an adapter nothing to prove itself with; undefined if it does. */
export async function lackOfKey(folder: string): Promise<RunEnd | undefined> {
  const why = await whyUnusable(folder, KEY)
  if (why === undefined) return undefined
  const others = await Promise.all(OTHERS.map((name) => whyUnusable(folder, name)))
  if (why === 'is not there' && others.includes(undefined)) return undefined
  const message = `model.auth.secret_ref names a folder without a key: ${join(folder, KEY)} ${why}. ${HOW_TO_GIVE_A_KEY}.`
  return { failureClass: 'missing_secret', message }
}

async function whyUnusable(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name)
  try {
    const text = await readSmall(path)
    if (text === undefined || Buffer.byteLength(text) > SECRET_FILE_MAX_BYTES) return `has more than ${SECRET_FILE_MAX_BYTES} bytes`
    if (!(await isOwn(path, name))) return 'is no plain file'
    return text === '' ? 'is empty' : undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return 'is not there'
    return code === 'EACCES' ? 'cannot be read by the user who runs EvalHub' : 'is no plain file'
  }
}

/** A file of this folder, or the link by which Kubernetes projects one: adapters take no other for a key. */
const isOwn = async (path: string, name: string) => !(await lstat(path)).isSymbolicLink() || (await readlink(path)) === join('..data', name)

/** Undefined for what is too large. Throws for what is no plain file, whose other end is not waited for. */
async function readSmall(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  try {
    const info = await file.stat()
    if (!info.isFile()) throw new Error(`${path} is no plain file`)
    return info.size > lengthMax ? undefined : (await file.readFile('utf8')).trim()
  } finally {
    await file.close()
  }
}
