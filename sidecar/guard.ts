import { lookup } from 'node:dns/promises'
import { isInRange, isSameAddress, kindOfAddress, type AddressKind } from '#shared/domain/address.ts'

/** A URL of a user that leads where none may lead. The message says so. */
export class RefusedTarget extends Error {
  override readonly name = 'RefusedTarget'
}

const NEVER: ReadonlyMap<AddressKind | undefined, string> = new Map([
  ['link_local', 'an address of the link alone'],
  ['metadata', "a cloud's metadata service"],
  ['unspecified', 'no particular address'],
  ['multicast', 'a multicast address'],
  [undefined, 'no IP address'],
])

/**
 * Called with the addresses that a connection for `url` is about to be made to; throws `RefusedTarget`.
 *
 * Private addresses are allowed: models run in the cluster and on the node.
 */
export type Guard = (url: URL, addresses: readonly string[]) => Promise<void>

type Inside = {
  /** The API that events go to. */
  hub: URL
  /** Address of the Kubernetes API. */
  apiServer?: string
  /** The sidecar's own, on loopback. */
  ownPort: number
}

/**
 * Keeps the URLs of users from what is inside: link-local addresses, metadata services, the API server, the hub, this sidecar. With
 * `allowedRanges` they lead to these networks only; what is inside stays closed, also where such a network has it.
 */
export function createGuard({ hub, apiServer, ownPort }: Inside, allowedRanges?: readonly string[]): Guard {
  return async (url, addresses) => {
    for (const address of addresses) {
      const kind = kindOfAddress(address)
      const never = NEVER.get(kind)
      if (never) throw refused(url, `leads to ${address}, ${never}`)
      if (apiServer !== undefined && isSameAddress(address, apiServer)) throw refused(url, 'leads to the Kubernetes API')
      if (kind === 'loopback' && portOf(url) === ownPort) throw refused(url, 'leads to the sidecar itself')
      const isAllowed = allowedRanges?.some((range) => isInRange(address, range)) ?? true
      if (!isAllowed)
        throw new RefusedTarget(`${url.origin} leads to ${address}, which is in none of the operator's address ranges for models.`)
    }
    if (portOf(url) === portOf(hub) && (await isHub(url, hub))) throw refused(url, 'leads to EvalHub itself')
  }
}

const refused = ({ origin }: URL, why: string) => new RefusedTarget(`${origin} ${why}, which no URL of an evaluation may.`)

const portOf = ({ port, protocol }: URL) => Number(port || (protocol === 'https:' ? 443 : 80))

/** Names are compared, and addresses only where the user wrote one: behind a gateway the hub and a model have one address and port. */
async function isHub(url: URL, hub: URL): Promise<boolean> {
  if (serviceName(url.hostname) === serviceName(hub.hostname)) return true
  const literal = bareHost(url)
  if (kindOfAddress(literal) === undefined) return false
  const addresses = await lookup(bareHost(hub), { all: true }).catch(() => [])
  return addresses.some(({ address }) => isSameAddress(address, literal))
}

/** The four spellings of a Service's name in a cluster are one. */
const serviceName = (host: string) =>
  host
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/\.cluster\.local$/, '')
    .replace(/\.svc$/, '')

/** The host of a URL; an IPv6 address without its brackets. */
export const bareHost = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '')
