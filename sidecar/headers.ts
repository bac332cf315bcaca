import type { IncomingMessage } from 'node:http'

/** Headers that concern one connection, not the message on it, and `host`, which is the target's. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer']
const NOT_FORWARDED = new Set([...HOP_BY_HOP, 'transfer-encoding', 'upgrade', 'expect', 'host'])

/**
 * The headers of a message as they go on: in their order and spelling, without those of its connection, and with `changes` (names in lower
 * case; undefined removes).
 */
export function forwardedHeaders({ rawHeaders, headers }: IncomingMessage, changes: Record<string, string | undefined> = {}): string[] {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()))
  const kept: string[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    const lower = name.toLowerCase()
    if (!NOT_FORWARDED.has(lower) && !named.has(lower) && !Object.hasOwn(changes, lower)) kept.push(name, value)
  }
  return [...kept, ...Object.entries(changes).flatMap(([name, value]) => (value === undefined ? [] : [name, value]))]
}
