import { isInRange, kindOfAddress, whyNever } from '#shared/domain/address.ts'
import { bareHost, createInside, portOf, type Inside } from './inside.ts'

/** A URL of a user that leads where none may lead. The message says so. */
export class RefusedTarget extends Error {
  override readonly name = 'RefusedTarget'
}

/**
 * Called with the addresses that a connection for `url` is about to be made to; throws `RefusedTarget`.
 *
 * Private addresses are allowed: models run in the cluster and on the node.
 */
export type Guard = (url: URL, addresses: readonly string[]) => Promise<void>

/** `ownPort`: the sidecar's, on loopback. */
type Settings = Inside & { ownPort: number }

/**
 * Keeps URLs from what is inside: link-local addresses, metadata services, the API server, the hub, this sidecar. With `allowedRanges` they
 * lead to these networks only; what is inside stays closed, also where such a network has it.
 */
export function createGuard(settings: Settings, allowedRanges?: readonly string[], whatIsInside = createInside(settings)): Guard {
  return async (url, addresses) => {
    const [host, port] = [bareHost(url), portOf(url)]
    for (const address of addresses) {
      const kind = kindOfAddress(address)
      const never = whyNever(kind)
      if (never) throw refused(url, `leads to ${address}, ${never}`)
      if (kind === 'loopback' && port === settings.ownPort) throw refused(url, 'leads to the sidecar itself')
      const inside = await whatIsInside({ host, address, port })
      if (inside) throw refused(url, `leads to ${inside}`)
      const isAllowed = allowedRanges?.some((range) => isInRange(address, range)) ?? true
      if (!isAllowed)
        throw new RefusedTarget(`${url.origin} leads to ${address}, which is in none of the operator's address ranges for models.`)
    }
  }
}

const refused = ({ origin }: URL, why: string) => new RefusedTarget(`${origin} ${why}, which no URL of an evaluation may.`)
