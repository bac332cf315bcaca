import { lookup } from 'node:dns'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP, Socket, type LookupFunction } from 'node:net'
import { isInRange, isSameAddress, kindOfAddress, type AddressKind } from '#shared/domain/address.ts'
import { InitError } from './init-error.ts'

/** True for an address that may be connected to, at this port. */
type Reach = (address: string, port: number) => boolean

export type ReachSettings = {
  /** Ranges in CIDR notation that the operator allows beside those that a kind of source has. They open nothing of what is closed to all. */
  allowedRanges: readonly string[]
  /** Addresses that nobody reaches from here: the Kubernetes API. */
  refusedAddresses: readonly string[]
  /** Where EvalHub itself is. */
  hub?: { addresses: readonly string[]; port: number } | undefined
}

/** What a user names for git may be public only; endpoints of S3 and of dataset hubs may be inside a private network too. */
const KINDS = {
  public_only: ['public'],
  private_too: ['public', 'private', 'shared'],
} as const satisfies Record<string, readonly AddressKind[]>

const NEVER: ReadonlySet<AddressKind | undefined> = new Set(['link_local', 'metadata', 'unspecified', 'multicast', undefined] as const)

/** Decides by addresses, never by names: those can be made to mean anything. */
export function createReach(breadth: keyof typeof KINDS, { allowedRanges, refusedAddresses, hub }: ReachSettings): Reach {
  const kinds: readonly (AddressKind | undefined)[] = KINDS[breadth]
  return (address, port) => {
    const kind = kindOfAddress(address)
    const refused = hub?.port === port ? [...refusedAddresses, ...hub.addresses] : refusedAddresses
    if (NEVER.has(kind) || refused.some((one) => isSameAddress(address, one))) return false
    return kinds.includes(kind) || allowedRanges.some((range) => isInRange(address, range))
  }
}

export type Agents = { http: HttpAgent; https: HttpsAgent }

/**
 * Agents that connect to addresses within reach only. That is asked about the very addresses that the socket is given, so a name that
 * means something else the next moment changes nothing; one bad address of a name refuses it.
 */
export function guardedAgents(mayReach: Reach): Agents {
  const options = { keepAlive: true, maxSockets: 16 }
  return { http: guarded(new HttpAgent(options), mayReach), https: guarded(new HttpsAgent(options), mayReach) }
}

function guarded<Kind extends HttpAgent>(agent: Kind, mayReach: Reach): Kind {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    const host = options.host ?? ''
    const port = Number(options.port)
    // No name is looked up for an address that is written as one. A socket that has failed, as one that could not connect.
    if (isIP(host) !== 0 && !mayReach(host, port)) return new Socket().destroy(refusal(host))
    return connect({ ...options, lookup: guardedLookup(mayReach, port) }, callback)
  }
  return agent
}

const guardedLookup =
  (mayReach: Reach, port: number): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '')
      const bad = addresses.find(({ address }) => !mayReach(address, port))
      if (bad) return callback(refusal(`${hostname} (${bad.address})`), '')
      const [first] = addresses
      if (options.all) callback(null, addresses)
      else callback(null, first?.address ?? '', first?.family)
    })
  }

const refusal = (target: string) =>
  new InitError(`${target} is an address that must not be reached from here; name a public host, or ask the operator to allow its range`)
