import type { IncomingMessage } from 'node:http'

/** Headers that concern one connection, not the message on it, and `host`, which is the target's. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer']
const NOT_FORWARDED = new Set([...HOP_BY_HOP, 'transfer-encoding', 'upgrade', 'expect', 'host'])

/** Headers of the message, which `Connection` cannot make those of a connection: who sends it would choose what the next reader sees. */
const END_TO_END =
  /^(accept(-.+)?|age|allow|api-key|authorization|cache-control|content-.+|cookie|date|etag|expires|if-.+|last-modified|link|location|origin|range|referer|retry-after|server|set-cookie|user-agent|vary|via|www-authenticate|x-.*(api-key|mlflow|tenant|user|token).*)$/

/** What a header is read as where `_` and `-` are one, as by servers that hand headers over as variables. */
const readAs = (name: string) => name.toLowerCase().replaceAll('_', '-')

export type HeaderEdits = {
  /** Headers that change, names in lower case; undefined removes. */
  changes?: Record<string, string | undefined>
  /** Headers that stay behind, by their names in lower case. */
  without?: RegExp | undefined
  /** Headers beside which all others stay behind, by their names in lower case as they are written. */
  only?: RegExp | undefined
}

/**
 * The headers of a message as they go on: in their order and spelling, without those of its connection and those that `Connection` names, and
 * with `changes`. A header that some server reads as one of these is none either.
 */
export function forwardedHeaders({ rawHeaders, headers }: IncomingMessage, { changes = {}, without, only }: HeaderEdits = {}): string[] {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()))
  const kept: string[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    const lower = readAs(name)
    const isOfConnection = NOT_FORWARDED.has(lower) || (named.has(name.toLowerCase()) && !END_TO_END.test(lower))
    const stays = without?.test(lower) || only?.test(name.toLowerCase()) === false
    if (!isOfConnection && !stays && !Object.hasOwn(changes, lower)) kept.push(name, value)
  }
  return [...kept, ...Object.entries(changes).flatMap(([name, value]) => (value === undefined ? [] : [name, value]))]
}
