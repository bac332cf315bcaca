import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP, Socket } from 'node:net'
import { callbackify } from 'node:util'
import { isInRange, kindOfAddress, whyNever, type AddressKind } from '#shared/domain/address.ts'
import { guardedLookup, type Judge } from '../guarded-lookup.ts'
import { InitError } from './init-error.ts'
import { createInside, type Inside, type Target } from '../inside.ts'

/** True for what may be connected to. Rejects if that cannot be found out. */
type Reach = (target: Target) => Promise<boolean>

export type ReachSettings = Inside & {
  /** Ranges in CIDR notation that the operator allows. What is inside stays closed, also where such a range has it. */
  allowedRanges: readonly string[]
}

/** What a user names for git may be public only; endpoints of S3 and of dataset hubs may be inside a private network too. */
const KINDS = {
  public_only: ['public'],
  private_too: ['public', 'private', 'shared'],
} as const satisfies Record<string, readonly AddressKind[]>

/** Decides by addresses, whatever their names: those can be made to mean anything. */
export function createReach(
  breadth: keyof typeof KINDS,
  { allowedRanges, ...inside }: ReachSettings,
  whatIsInside = createInside(inside),
): Reach {
  const kinds: readonly (AddressKind | undefined)[] = KINDS[breadth]
  return async (target) => {
    const kind = kindOfAddress(target.address)
    if (whyNever(kind) !== undefined || (await whatIsInside(target))) return false
    return kinds.includes(kind) || allowedRanges.some((range) => isInRange(target.address, range))
  }
}

export type Agents = { http: HttpAgent; https: HttpsAgent }

/**
 * Agents that connect within reach only. That is asked about the very addresses that the socket is given, so a name that means something
 * else the next moment changes nothing; one bad address of a name refuses it.
 */
export function guardedAgents(mayReach: Reach): Agents {
  const options = { keepAlive: true, maxSockets: 16 }
  return { http: guarded(new HttpAgent(options), mayReach), https: guarded(new HttpsAgent(options), mayReach) }
}

function guarded<Kind extends HttpAgent>(agent: Kind, mayReach: Reach): Kind {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    const host = options.host ?? ''
    const judge: Judge = async (addresses) => {
      for (const address of addresses) {
        if (!(await mayReach({ host, address, port: Number(options.port) })))
          throw refusal(host === address ? host : `${host} (${address})`)
      }
    }
    if (isIP(host) === 0) return connect({ ...options, lookup: guardedLookup(judge) }, callback)
    // No name is looked up for an address that is written as one.
    callbackify(judge)([host], (error) => {
      const socket = error ? new Socket() : connect(options)
      if (socket) callback?.(error, socket)
    })
    return undefined
  }
  return agent
}

const refusal = (target: string) =>
  new InitError(`${target} is an address that must not be reached from here; name a public host, or ask the operator to allow its range`)
