import { lookup } from 'node:dns'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP, Socket, type LookupFunction } from 'node:net'
import { isInRange, isSameAddress, kindOfAddress, type AddressKind } from '#shared/domain/address.ts'
import { InitError } from './init-error.ts'

/** True for an address that may be connected to. */
type Reach = (address: string) => boolean

export type ReachSettings = {
  /** Ranges in CIDR notation that the operator allows, whatever else is said of them. */
  allowedRanges: readonly string[]
  /** Addresses that nobody reaches from here: the Kubernetes API. */
  refusedAddresses: readonly string[]
}

/** What a user names for git may be public only; endpoints of S3 and of dataset hubs may be inside a private network too. */
const KINDS = {
  public_only: ['public'],
  private_too: ['public', 'private', 'shared'],
} as const satisfies Record<string, readonly AddressKind[]>

/** Decides by addresses, never by names: those can be made to mean anything. */
export function createReach(breadth: keyof typeof KINDS, { allowedRanges, refusedAddresses }: ReachSettings): Reach {
  const kinds: readonly (AddressKind | undefined)[] = KINDS[breadth]
  return (address) => {
    if (allowedRanges.some((range) => isInRange(address, range))) return true
    return kinds.includes(kindOfAddress(address)) && !refusedAddresses.some((refused) => isSameAddress(address, refused))
  }
}

export type Agents = { http: HttpAgent; https: HttpsAgent }

/**
 * Agents that connect to addresses within reach only. That is asked about the very addresses that the socket is given, so a name that
 * means something else the next moment changes nothing; one bad address of a name refuses it.
 */
export function guardedAgents(mayReach: Reach): Agents {
  const options = { keepAlive: true, maxSockets: 16, lookup: guardedLookup(mayReach) }
  return { http: refusingLiterals(new HttpAgent(options), mayReach), https: refusingLiterals(new HttpsAgent(options), mayReach) }
}

const guardedLookup =
  (mayReach: Reach): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '')
      const bad = addresses.find(({ address }) => !mayReach(address))
      if (bad) return callback(refusal(`${hostname} (${bad.address})`), '')
      const [first] = addresses
      if (options.all) callback(null, addresses)
      else callback(null, first?.address ?? '', first?.family)
    })
  }

/** No name is looked up for an address that is written as one. */
function refusingLiterals<Kind extends HttpAgent>(agent: Kind, mayReach: Reach): Kind {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    const host = options.host ?? ''
    // A socket that has failed, as one that could not connect.
    if (isIP(host) !== 0 && !mayReach(host)) return new Socket().destroy(refusal(host))
    return connect(options, callback)
  }
  return agent
}

const refusal = (target: string) =>
  new InitError(`${target} is an address that must not be reached from here; name a public host, or ask the operator to allow its range`)
