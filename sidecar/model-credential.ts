import type { IncomingMessage } from 'node:http'
import { readCredentialKey } from '#shared/domain/credential-key.ts'
import { parseHttpUrl } from '#shared/domain/url-problem.ts'
import { HubError } from '#shared/errors.ts'
import { readKey } from './credentials.ts'
import { UpstreamError } from './transport.ts'

/** Headers in which clients of models send their key. */
const KEY_HEADERS = ['authorization', 'x-api-key', 'api-key']

const REFERENCE = /^(?<scheme>bearer\s+)?(?<key>[^\s/\\]+):ref$/i

type Resolved = {
  /** The service that the credentials are for. */
  url: URL
  /** Headers that change, names in lower case. */
  changes: Record<string, string>
}

/**
 * Puts the value of the model's Secret where an adapter wrote `<key>:ref`, and finds the service that it belongs to: `<service>_url` of the
 * same Secret, else the model. The Secret is read at every request, so a new value counts at once.
 *
 * Refuses with `request_validation_failed` a reference that names no credential, and references to credentials of services at different
 * origins, since a request goes to one. Other keys of an adapter's own pass as they are; nothing is ever added.
 */
export async function resolveCredentials(
  { rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>,
  model: URL,
  secretPath: string | undefined,
): Promise<Resolved> {
  const changes: Record<string, string> = {}
  const services: { key: string; url: URL }[] = []
  for (const name of KEY_HEADERS) {
    const values = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name)
    const reference = values.map((value) => REFERENCE.exec(value.trim())?.groups).find((groups) => groups !== undefined)
    if (!reference) continue
    if (values.length > 1) throw refused(`the request has ${name} more than once`)
    const { scheme, key = '' } = reference
    const { url, value } = await readCredential(key, model, secretPath)
    changes[name] = `${scheme ? 'Bearer ' : ''}${value}`
    services.push({ key, url })
  }
  const [first] = services
  const other = services.find(({ url }) => url.origin !== first?.url.origin)
  if (first && other) {
    throw refused(`'${first.key}' and '${other.key}' belong to different services, and a request goes to one: refer to each in its own`)
  }
  return { url: first?.url ?? model, changes }
}

/** Tries for a value and an address that were written together: kubelets replace all files of a Secret at once, and seldom. */
const READS = 3

async function readCredential(key: string, model: URL, secretPath: string | undefined): Promise<{ url: URL; value: string }> {
  const credential = readCredentialKey(key)
  if (!credential) throw refused(`'${key}' names no credential: it must be api-key, or end in _api-key or _sa_token`)
  for (let reads = 0; reads < READS; reads++) {
    const url = await serviceOf(credential.urlKey, model, secretPath)
    const value = await readSecret(secretPath, key)
    if ((await serviceOf(credential.urlKey, model, secretPath)).href !== url.href) continue
    if (value === '') throw refused(`the model's Secret has no value '${key}', and no token of a service account stands in for it`)
    if (!/^[\x20-\x7e]+$/.test(value)) throw refused(`the value of '${key}' holds characters that no header can carry`)
    return { url, value }
  }
  throw new UpstreamError('connection', "the model's Secret is being replaced; ask again")
}

async function serviceOf(urlKey: string | undefined, model: URL, secretPath: string | undefined): Promise<URL> {
  const url = urlKey === undefined ? '' : await readSecret(secretPath, urlKey)
  if (url === '') return model
  const service = parseHttpUrl(url)
  if (!service) throw refused(`'${urlKey}' of the model's Secret is no http or https URL with a host`)
  return service
}

const refused = (why: string) =>
  HubError.of('request_validation_failed', { Error: `The reference to a credential cannot be used: ${why}.` })

/** Empty for what is not there. What is there and cannot be read is an error: without its address a value would go to the model. */
async function readSecret(secretPath: string | undefined, key: string): Promise<string> {
  if (secretPath === undefined) return ''
  return ((await readKey(secretPath, key)) ?? '').trim()
}
