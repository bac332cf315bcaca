import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HubError } from '#shared/errors.ts'

/** Headers in which clients of models send their key. */
const KEY_HEADERS = ['authorization', 'x-api-key', 'api-key']

const REFERENCE = /^(?<scheme>bearer\s+)?(?<key>[^\s/\\]+):ref$/i

/** Names of credentials; what stands before them is also the name of the service's URL: `judge_api-key` and `judge_url`. */
const CREDENTIAL = /^(?:(?<prefix>.+)_)?(?:api-key|(?<=_)sa_token)$/

type Resolved = {
  /** The service that the credential is for. */
  url: URL
  /** Headers that change, names in lower case. */
  changes: Record<string, string>
}

type Asked = Readonly<Record<string, string | string[] | undefined>>

/**
 * Puts the value of the model's Secret where an adapter wrote `<key>:ref`, and finds the service that it belongs to: `<prefix>_url` of the
 * same Secret, else the model. The Secret is read at every request, so a new value counts at once.
 *
 * Refuses with `request_validation_failed` a reference that names no credential. Other keys of an adapter's own pass as they are; nothing is ever added.
 */
export async function resolveCredentials(headers: Asked, model: URL, secretPath: string | undefined): Promise<Resolved> {
  const resolved: Resolved = { url: model, changes: {} }
  for (const name of KEY_HEADERS) {
    const { scheme = '', key } = REFERENCE.exec(String(headers[name] ?? '').trim())?.groups ?? {}
    if (key === undefined) continue
    const credential = CREDENTIAL.exec(key)
    if (!credential) throw refused(`'${key}' names no credential: it must be api-key, or end in _api-key or _sa_token`)
    const value = await readSecret(secretPath, key)
    if (value === '') {
      throw refused(`the model's Secret has no value '${key}', and no token of a service account stands in for it`)
    }
    if (!/^[\x20-\x7e]+$/.test(value)) throw refused(`the value of '${key}' holds characters that no header can carry`)
    resolved.changes[name] = `${scheme && 'Bearer '}${value}`
    resolved.url = await serviceOf(credential.groups?.prefix, model, secretPath)
  }
  return resolved
}

async function serviceOf(prefix: string | undefined, model: URL, secretPath: string | undefined): Promise<URL> {
  const url = prefix === undefined ? '' : await readSecret(secretPath, `${prefix}_url`)
  if (url === '') return model
  if (!URL.canParse(url) || !/^https?:/i.test(url)) throw refused(`'${prefix}_url' of the model's Secret is no http or https URL`)
  return new URL(url)
}

const refused = (why: string) =>
  HubError.of('request_validation_failed', { Error: `The reference to a credential cannot be used: ${why}.` })

/** Empty for what is not there. */
async function readSecret(secretPath: string | undefined, key: string): Promise<string> {
  if (secretPath === undefined) return ''
  return (await readFile(join(secretPath, key), 'utf8').catch(() => '')).trim()
}
