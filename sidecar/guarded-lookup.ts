import type { LookupOptions } from 'node:dns'
import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'

/** Rejects for addresses of which one must not be connected to. */
export type Judge = (addresses: readonly string[]) => Promise<void>

/** Names are resolved once: what a socket is given to connect to is what `judge` looked at. */
export function guardedLookup(judge: Judge): LookupFunction {
  const resolve = callbackify(async (host: string, options: LookupOptions) => {
    const addresses = await lookup(host, { ...options, all: true })
    await judge(addresses.map(({ address }) => address))
    return addresses
  })
  return (host, options, done) =>
    resolve(host, options, (error, addresses) => {
      const [first] = addresses ?? []
      if (error || !first) done(error ?? new Error(`${host} has no address`), '', 0)
      else if (options.all) done(null, addresses)
      else done(null, first.address, first.family)
    })
}
