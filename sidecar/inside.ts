import { lookup } from 'node:dns/promises'
import { isSameAddress, kindOfAddress } from '#shared/domain/address.ts'

/** What nobody may be led to by a URL of a user. */
export type Inside = {
  /** Where the hub is to be had. `isBehindGateway`: the address is a gateway's, which leads to others too, so the name alone says that it is the hub. */
  hubs: readonly { url: URL; isBehindGateway?: boolean }[]
  /** Address of the Kubernetes API, or its name. */
  apiServer?: string
}

/** Where a connection is about to be made to. `host`: as it was asked for, a name or an address. */
export type Target = { host: string; address: string; port: number }

/** What of it is inside, if anything. Rejects if that cannot be found out. */
export type WhatIsInside = (target: Target) => Promise<'the Kubernetes API' | 'EvalHub itself' | undefined>

/** The hub's ports beside those that are named, unless it was told others: its API, metrics, events, and the API by its proxy. */
const HUB_PORTS = [8080, 8081, 8083, 8443]

type Resolve = (host: string) => Promise<readonly string[]>

/** What was looked up is true for so long, as in the caches of a cluster: models that are written as addresses are judged at every request. */
const REMEMBERED_MS = 5000

/**
 * Compares what is connected to with the addresses that hub and Kubernetes API have at the moment, however they are asked for, and the hub with
 * its name too. At its address are its ports closed, since others may be there; a Service of its name has no other.
 */
export function createInside(
  { hubs, apiServer }: Inside,
  lookUp: Resolve = addressesOf,
  now: () => number = () => performance.now(),
): WhatIsInside {
  const resolve = remembered(lookUp, now)
  const isApiServer = async (address: string) =>
    apiServer !== undefined && (await resolve(apiServer)).some((known) => isSameAddress(known, address))
  const hubsAt = hubs.map((hub) => hubAt(hub, resolve))
  return async (target) => {
    if (await isApiServer(target.address)) return 'the Kubernetes API'
    for (const isAt of hubsAt) if (await isAt(target)) return 'EvalHub itself'
    return undefined
  }
}

function hubAt({ url: hub, isBehindGateway = false }: Inside['hubs'][number], resolve: Resolve): (target: Target) => Promise<boolean> {
  const hubPorts = new Set([portOf(hub), ...HUB_PORTS])
  const isHubsName = (host: string) => kindOfAddress(host) === undefined && serviceName(host) === serviceName(hub.hostname)
  const isHubs = async (address: string, port: number) => {
    // A server of this machine is at each address of the loopback network.
    const isLocal = (each: string) => kindOfAddress(each) === 'loopback' && port === portOf(hub)
    return (await resolve(bareHost(hub))).some((known) => isSameAddress(known, address) || (isLocal(known) && isLocal(address)))
  }
  return async ({ host, address, port }) => {
    if (isHubsName(host) && (IS_SERVICE.test(hub.hostname) || hubPorts.has(port))) return true
    return hubPorts.has(port) && !isBehindGateway && isHubs(address, port)
  }
}

const IS_SERVICE = /\.svc(\.cluster\.local)?\.?$/i

/** The four spellings of a Service's name in a cluster are one. */
const serviceName = (host: string) => host.toLowerCase().replace(/\.$/, '').replace(/\.cluster\.local$/, '').replace(/\.svc$/, '') // prettier-ignore

/** The port of a URL, by its scheme where it names none. */
export const portOf = ({ port, protocol }: URL) => Number(port || (protocol === 'https:' ? 443 : 80))

/** The host of a URL; an IPv6 address without its brackets. */
export const bareHost = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '')

function remembered(resolve: Resolve, now: () => number): Resolve {
  const known = new Map<string, { until: number; addresses: readonly string[] }>()
  return async (host) => {
    const found = known.get(host)
    if (found && now() < found.until) return found.addresses
    const addresses = await resolve(host)
    known.set(host, { until: now() + REMEMBERED_MS, addresses })
    return addresses
  }
}

/** A name that means nothing has no addresses. Any other failure is one: whoever asks would take it for that. */
async function addressesOf(host: string): Promise<string[]> {
  if (kindOfAddress(host) !== undefined) return [host]
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTFOUND') return []
    throw error
  }
}
