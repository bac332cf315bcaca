import { kindOfAddress } from '#shared/domain/address.ts'

/** A host as URLs and lists are compared by: in lower case, in the letters of DNS, without a dot at its end; IPv6 in brackets. */
export type Place = { host: string; port: number; isUsualPort: boolean }

/** An entry of a list. Without a port it means every port; `*.` before it means what lies below, at any depth, and not the host itself. */
export type Entry = { host: string; port?: number | undefined; isBelow: boolean }

const ENTRY = /^(?<star>\*\.)?(?<host>\[[0-9a-f:.]+\]|[^\p{C}\s:/?#@*%[\]\\]+)(?::(?<port>\d{1,5}))?$/iu
/** What else `URL` takes for a host's letters means something to a shell. */
const PLAIN = /^([a-z0-9_-]+\.)*[a-z0-9_-]+$|^\[[0-9a-f:.]+\]$/
const USUAL_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

/** Where a request to an http or https URL goes. */
export function placeOf(url: string): Place {
  const { protocol, hostname, port } = new URL(url)
  const usual = USUAL_PORTS[protocol] ?? 0
  return { host: normal(hostname), port: Number(port) || usual, isUsualPort: port === '' || Number(port) === usual }
}

const normal = (hostname: string) => hostname.replace(/\.$/, '')

/** Entries separated by commas or white space, or the first that is none: empty if there is none at all. */
export function parseHostList(text: string): { entries: Entry[] } | { bad: string } {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  const entries = words.map(parseEntry)
  const bad = entries.indexOf(undefined)
  if (words.length === 0 || bad !== -1) return { bad: words[bad] ?? '' }
  return { entries: entries.filter((entry) => entry !== undefined) }
}

function parseEntry(word: string): Entry | undefined {
  const { star, host = '', port } = ENTRY.exec(word)?.groups ?? {}
  if (!URL.canParse(`http://${host}`)) return undefined
  const name = normal(new URL(`http://${host}`).hostname)
  const number = port === undefined ? undefined : Number(port)
  const isAddress = kindOfAddress(name.replace(/^\[|\]$/g, '')) !== undefined
  if (!PLAIN.test(name) || (star && isAddress) || number === 0 || (number ?? 0) > 65_535) return undefined
  return { host: name, port: number, isBelow: star !== undefined }
}

export const isListed = ({ host, port }: Place, entries: readonly Entry[]): boolean =>
  entries.some((entry) => (entry.port ?? port) === port && (entry.isBelow ? host.endsWith(`.${entry.host}`) : host === entry.host))

export const textOf = ({ host, port, isBelow }: Entry): string => `${isBelow ? '*.' : ''}${host}${port === undefined ? '' : `:${port}`}`

/** An entry for a place: the host, and the port if it is not the usual one, or if it is to be `exact`; undefined for a host that no list can name. */
export const entryFor = ({ host, port, isUsualPort }: Place, exact = false): string | undefined =>
  PLAIN.test(host) ? `${host}${isUsualPort && !exact ? '' : `:${port}`}` : undefined
