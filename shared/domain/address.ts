/**
 * What an IP address is for. `shared`: between a provider and its customers, CGNAT. `metadata`: a cloud's own service, which hands out
 * credentials. `reserved`: documentation, measurements, tunnels and what has no use yet.
 */
export type AddressKind =
  'public' | 'private' | 'shared' | 'loopback' | 'link_local' | 'metadata' | 'unspecified' | 'multicast' | 'reserved'

/** The first range that an address lies in decides. Source: IANA's registries of special-purpose addresses, and the clouds' documents. */
const KINDS: readonly (readonly [range: string, kind: AddressKind])[] = [
  ['169.254.169.254/32', 'metadata'],
  ['100.100.100.200/32', 'metadata'], // Alibaba Cloud
  ['168.63.129.16/32', 'metadata'], // Azure
  ['192.0.0.192/32', 'metadata'], // Oracle Cloud
  ['fd00:ec2::/32', 'metadata'], // AWS
  ['fd20:ce::/32', 'metadata'], // Google Cloud
  ['fd00:c1::/32', 'metadata'], // Oracle Cloud
  ['fd00:42::/32', 'metadata'], // Scaleway
  ['0.0.0.0/8', 'unspecified'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'shared'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link_local'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'reserved'],
  ['192.88.99.0/24', 'reserved'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'reserved'],
  ['198.51.100.0/24', 'reserved'],
  ['203.0.113.0/24', 'reserved'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['100::/64', 'reserved'],
  ['100:0:0:1::/64', 'reserved'],
  ['2001::/32', 'reserved'],
  ['2001:2::/48', 'reserved'],
  ['2001:10::/28', 'reserved'],
  ['2001:20::/28', 'reserved'],
  ['2001:db8::/32', 'reserved'],
  ['3fff::/20', 'reserved'],
  ['5f00::/16', 'reserved'],
  ['fc00::/7', 'private'],
  ['fe80::/10', 'link_local'],
  ['fec0::/10', 'private'],
  ['ff00::/8', 'multicast'],
]

/**
 * IPv6 ranges whose addresses lead to an IPv4 address in them, and at which bytes that may be: mapped, translated, compatible, NAT64 (RFC 6052;
 * the prefix of local use has any of the lengths that lie in it), 6to4, and Teredo's server. Two are said in code: Teredo's client, every bit of
 * which is turned over, and the interface identifier `[02]00:5efe:` of ISATAP, below any prefix.
 */
const EMBEDDING: readonly (readonly [range: string, ...layouts: (readonly number[])[]])[] = [
  ['::ffff:0:0/96', [12, 13, 14, 15]],
  ['::ffff:0:0:0/96', [12, 13, 14, 15]],
  ['::/96', [12, 13, 14, 15]],
  ['64:ff9b::/96', [12, 13, 14, 15]],
  ['64:ff9b:1::/48', [6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]],
  ['2002::/16', [2, 3, 4, 5]],
  ['2001::/32', [4, 5, 6, 7]],
]

/** Of several readings of an address the first of these is believed. */
const WORST_FIRST: readonly AddressKind[] = [
  'metadata',
  'link_local',
  'loopback',
  'multicast',
  'unspecified',
  'reserved',
  'private',
  'shared',
  'public',
]

/** Undefined for what is no IP address, a name for instance. IPv4 in four decimal parts, as `URL` and resolvers write it; IPv6 without brackets, a zone is ignored. */
export function kindOfAddress(text: string): AddressKind | undefined {
  const bytes = bytesOf(text)
  return bytes && kindOf(bytes)
}

const NEVER: ReadonlyMap<AddressKind | undefined, string> = new Map([
  ['link_local', 'an address of the link alone'],
  ['metadata', "a cloud's metadata service"],
  ['unspecified', 'no particular address'],
  ['multicast', 'a multicast address'],
  [undefined, 'no IP address'],
])

/** Why nothing that is told by a user connects to an address of that kind, whatever ranges an operator allows; undefined if it may be. */
export const whyNever = (kind: AddressKind | undefined): string | undefined => NEVER.get(kind)

/** True if both lead to the same address, however they are written: an IPv4 address within an IPv6 address that leads to it is that address. */
export function isSameAddress(one: string, other: string): boolean {
  const [first, second] = [readingsOf(one), readingsOf(other)]
  return first.some((reading) => second.includes(reading))
}

/** True for a network in CIDR notation: `10.0.0.0/8`, `fd00::/8`. One address is `/32` or `/128`. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/')
  const bytes = bytesOf(address)
  return bytes !== undefined && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= 8 * bytes.length
}

/** True if the address lies in the network; a mapped IPv4 address is that address. False for what is no address, or no network. */
export function isInRange(address: string, range: string): boolean {
  const bytes = bytesOf(address)
  return bytes !== undefined && isAddressRange(range) && isWithin(unmapped(bytes), rangeOf(range))
}

const unmapped = (bytes: number[]) => (isWithin(bytes, MAPPED) ? bytes.slice(12) : bytes)

function kindOf(bytes: number[]): AddressKind {
  const own = KIND_RANGES.find(({ range }) => isWithin(bytes, range))?.kind
  const inner = embeddedIn(bytes).map(kindOf)
  // A layout that is not the address's own finds zeros.
  const meant = inner.filter((kind) => kind !== 'unspecified')
  const kinds = [own, ...(own !== undefined || meant.length > 0 ? meant : inner)]
  return WORST_FIRST.find((kind) => kinds.includes(kind)) ?? 'public'
}

/** The IPv4 addresses that an IPv6 address may lead to. */
function embeddedIn(bytes: number[]): number[][] {
  if (bytes.length === 4) return []
  const layouts = EMBEDDING_RANGES.filter(({ range }) => isWithin(bytes, range)).flatMap(({ layouts: all }) => all)
  const inner = layouts.map((layout) => layout.map((at) => bytes[at] ?? 0))
  const end = bytes.slice(12)
  if (isWithin(bytes, TEREDO)) inner.push(end.map((byte) => byte ^ 0xff))
  const [high, ...low] = bytes.slice(8, 12)
  if ((high === 0 || high === 2) && low.join('.') === '0.94.254') inner.push(end)
  return inner
}

/** All that an address is the same as; zeros are no address's own. */
function readingsOf(text: string): string[] {
  const bytes = bytesOf(text)
  return bytes ? [unmapped(bytes), ...embeddedIn(bytes).filter(([first]) => first !== 0)].map((reading) => reading.join('.')) : []
}

type Range = { bytes: number[]; bits: number }

function rangeOf(text: string): Range {
  const [address = '', bits] = text.split('/')
  return { bytes: bytesOf(address) ?? [], bits: Number(bits) }
}

const isWithin = (bytes: number[], range: Range) =>
  bytes.length === range.bytes.length &&
  bytes.every((byte, at) => {
    const mask = 0xff00 >> Math.max(0, Math.min(8, range.bits - 8 * at))
    return ((byte ^ (range.bytes[at] ?? 0)) & mask & 0xff) === 0
  })

const bytesOf = (text: string): number[] | undefined => (text.includes(':') ? ipv6Bytes(text.replace(/%.*$/s, '')) : ipv4Bytes(text))

function ipv4Bytes(text: string): number[] | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined
  const bytes = text.split('.').map(Number)
  return bytes.every((byte) => byte < 256) ? bytes : undefined
}

function ipv6Bytes(text: string): number[] | undefined {
  const [head = '', tail, ...more] = text.split('::')
  if (more.length > 0 || /^[^.]*\..*:/s.test(text)) return undefined
  const [front, back] = [groupBytes(head), groupBytes(tail ?? '')]
  if (!front || !back) return undefined
  const missing = 16 - front.length - back.length
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined
  return [...front, ...Array.from({ length: missing }, () => 0), ...back]
}

/** The bytes of groups between colons, the last of which may be an IPv4 address. */
function groupBytes(text: string): number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const bytes = groups.map((group, at) => {
    if (at === groups.length - 1 && group.includes('.')) return ipv4Bytes(group)
    const value = /^[0-9a-f]{1,4}$/i.test(group) ? Number.parseInt(group, 16) : undefined
    return value === undefined ? undefined : [value >> 8, value & 0xff]
  })
  return bytes.every((pair) => pair !== undefined) ? bytes.flat() : undefined
}

const KIND_RANGES = KINDS.map(([range, kind]) => ({ range: rangeOf(range), kind }))
const EMBEDDING_RANGES = EMBEDDING.map(([range, ...layouts]) => ({ range: rangeOf(range), layouts }))
const MAPPED = rangeOf('::ffff:0:0/96')
const TEREDO = rangeOf('2001::/32')
