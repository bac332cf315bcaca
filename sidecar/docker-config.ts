import { parseObject } from './parse-object.ts'

const DOCKER_HUB = new Set(['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com', 'docker.io'])

/** Host of a registry as it is written in references and configurations: in lower case, without scheme and path, Docker Hub by one name. */
export function canonicalHost(text: string): string {
  const host = text.trim().toLowerCase().replace(/^https?:\/\//, '').replace(/\/.*$/s, '') // prettier-ignore
  return DOCKER_HUB.has(host) ? 'docker.io' : host
}

/**
 * `user:password` for a repository from the text of a Docker configuration (`.dockerconfigjson`): of the entries for its host the one that
 * names most of its path. Undefined if there is none. Throws for text that is no such configuration.
 */
export function credentialsFor(text: string, host: string, repository: string): string | undefined {
  const auths = parseObject(text)?.auths
  if (typeof auths !== 'object' || auths === null) throw new Error('The Docker configuration of the registry is no JSON with auths')
  const entries = Object.entries(auths)
    .filter(([key]) => canonicalHost(key) === canonicalHost(host))
    .map(([key, entry]: [string, unknown]) => ({ path: pathOf(key), entry }))
    .filter(({ path }) => path === '' || `${repository}/`.startsWith(`${path}/`))
    .sort((one, other) => other.path.length - one.path.length)
  return entries.map(({ entry }) => userAndPassword(entry)).find((found) => found !== undefined)
}

/** The part of a repository that a key names; the API versions that old clients write are none. */
const pathOf = (key: string) => key.replace(/^https?:\/\//, '').replace(/^[^/]*\/?/, '').replace(/^v[12]\/?$/, '').replace(/(?<!\/)\/+$/, '') // prettier-ignore

function userAndPassword(entry: unknown): string | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined
  const read = (name: string): unknown => Reflect.get(entry, name)
  const auth = read('auth')
  if (typeof auth === 'string' && auth !== '') return Buffer.from(auth, 'base64').toString()
  const [user, password] = [read('username'), read('password')]
  return typeof user === 'string' && typeof password === 'string' ? `${user}:${password}` : undefined
}
