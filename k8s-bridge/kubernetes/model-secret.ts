import { readCredentialKey } from '#shared/domain/credential-key.ts'
import { parseHttpUrl } from '#shared/domain/url-problem.ts'
import { throughSidecar } from './attempt.ts'

/** What a run's objects need to know of its model's Secret. No credential is in it. */
export type ModelSecret = {
  name: string
  /** What the adapter finds in place of each credential: `<key>:ref`, which the sidecar exchanges, or an address of the sidecar. */
  references: Readonly<Record<string, string>>
}

/**
 * Reads a Secret's data, in base64 as Kubernetes answers it. An address that is none is named in `badKey`: the adapter would have nothing
 * to call. Source: contract 8.9.
 */
export function readModelSecret(name: string, data: Readonly<Record<string, string>>): ModelSecret | { badKey: string } {
  const references: Record<string, string> = {}
  for (const [key, value] of Object.entries(data)) {
    if (readCredentialKey(key)) references[key] = `${key}:ref`
    if (!key.endsWith('_url')) continue
    const url = Buffer.from(value, 'base64').toString().trim()
    if (url === '') continue
    if (!parseHttpUrl(url)) return { badKey: key }
    references[key] = throughSidecar(url)
  }
  return { name, references }
}
