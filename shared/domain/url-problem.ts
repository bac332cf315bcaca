import { kindOfAddress, whyNever } from './address.ts'

/** Characters of a URL: servers take no longer one. */
export const URL_MAX = 8192

/** Of its host and port: no name of DNS is longer than 253, and time for letters of other alphabets grows with the square of the length. */
const HOST_MAX = 262

/** Schemes of services that adapters may ask, and of places that people name. Others may be run by who shows them as a link, or read from its machine. */
const OPEN = /^(https?|wss?|grpcs?|hf|s3|gs|oci):$/

const NO_REGISTRY =
  'must be a host such as quay.io or registry.example:5000, with http:// before it for plain HTTP; credentials come from the Secret that exports.oci.k8s.connection names'

/**
 * The URL that text is, or names from `base` on, read as browsers and Node read it. Undefined if it is none, or longer than is read: 8,192 characters,
 * 262 for host and port.
 */
export const parseUrl = (text: string, base?: URL): URL | undefined =>
  isLong(text) ? undefined : (URL.parse(text, base?.href) ?? undefined)

/** As `parseUrl`, of http and https URLs that every reader takes for the same: two slashes and a host behind the scheme, and nothing to be passed over. */
export const parseHttpUrl = (text: string): URL | undefined =>
  /^https?:\/\/[^\s\\/?#]+([/?#][^\t\n\r]*)?$/i.test(text) ? parseUrl(text) : undefined

const isLong = (text: string) => text.length > URL_MAX || hostIn(text).length > HOST_MAX

function hostIn(text: string): string {
  const authority = authorityIn(text)
  return authority.slice(authority.lastIndexOf('@') + 1)
}

/**
 * What a URL has for its user, host and port, one without a scheme too. Readers pass over what stands before it and over line ends in it, and take any
 * number of `/` and `\` for two.
 */
function authorityIn(text: string): string {
  return /^(?:[^!-~]*[\\/]{2,}|[^a-z]*[a-z][a-z\d+.-]*:[\\/]*)([^\\/?#]*)/i.exec(text.replaceAll(/[\t\n\r]/g, ''))?.[1] ?? ''
}

/**
 * What keeps a URL of a user from being kept, shown as a link, and asked by adapters; undefined if nothing does. Neither spaces nor line ends hide a
 * scheme. Text that is no whole URL has no such problem. `instead`: where a secret belongs that is in it.
 */
export function urlProblem(text: string, instead = ''): string | undefined {
  if (isLong(text)) return `must have at most ${URL_MAX} characters, and ${HOST_MAX} for its host and port`
  const url = URL.parse(text)
  if (!url) return undefined
  if (!OPEN.test(url.protocol)) {
    return `must name a place on a network, such as https://host/path, and begins with ${url.protocol.slice(0, 40)}`
  }
  return hasUser(text, url) ? `must hold no user name and no password, since it is kept and shown${instead}` : undefined
}

/** Of a user without a name too: what is meant by it differs from reader to reader. */
const hasUser = (text: string, { host }: URL) => host !== '' && authorityIn(text).includes('@')

/** True for a URL with a user before its host, be it an empty one. */
export function holdsUser(text: string): boolean {
  const url = parseUrl(text)
  return url !== undefined && hasUser(text, url)
}

/**
 * What is wrong with the host of a registry: it must be a name or an address, with or without a port; before it may stand `http://` or `https://`,
 * behind it a path. An address must be one that a run may reach. Undefined if nothing is; no name is resolved here.
 */
export function registryHostProblem(text: string): string | undefined {
  const [, host = ''] =
    /^\s*(?:https?:\/\/)?([^\s\\/?#@:[\]]+(?::\d{1,5})?|\[[\da-f:.]+\](?::\d{1,5})?)(?:\/[^\s\\?#@]*)?\s*$/i.exec(text) ?? []
  const url = host === '' ? undefined : parseUrl(`https://${host}`)
  if (!url) return NO_REGISTRY
  const address = url.hostname.replace(/^\[|\]$/g, '')
  const kind = kindOfAddress(address)
  const never = kind && whyNever(kind)
  return never === undefined ? undefined : `leads to ${address}, ${never}, which no run may reach`
}
