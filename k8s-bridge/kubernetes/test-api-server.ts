import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ApiServer } from '../../test/control-plane.ts'
import { admit, withSelector } from './test-api-admission.ts'
import { createStore, patched, Refusal, type ApiObject, type Place, type Store, type Written } from './test-api-store.ts'

/**
 * A Kubernetes API server in this process, without TLS, for tests of what lists, watches and launches: objects, versions, pages, watches that
 * expire, deletion in the background, in the foreground and after a grace, quotas of objects. The tests that run on it run on a real one,
 * too, where there is one. Its administrator may do all, a service account nothing.
 *
 * It has no schemas, no admission plugins but the few of `admit`, and no certificates: what is about those needs a real one.
 */
export async function startApiServer(): Promise<ApiServer> {
  const store = createStore()
  const users = new Map([[randomUUID(), ADMINISTRATOR]])
  const snapshots = new Map<string, Snapshot>()
  const server = createServer((request, response) => {
    answer({ store, users, snapshots, request, response }).catch((error: unknown) => refuse(response, error))
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  const port = await listen(0)
  const directory = await mkdtemp(join(tmpdir(), 'evalhub-api-'))
  const kubeconfig = join(directory, 'kubeconfig')
  await writeFile(kubeconfig, kubeconfigFor(`http://127.0.0.1:${port}`, [...users.keys()][0] ?? ''))
  return {
    kubeconfig,
    killApiServer: close,
    startApiServer: async () => void (await listen(port)),
    forgetVersions: async () => store.forget(),
    async stop() {
      if (server.listening) await close()
      await rm(directory, { recursive: true })
    },
  }
}

const ADMINISTRATOR = 'admin'

const kubeconfigFor = (server: string, token: string) =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: ADMINISTRATOR } }],
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: ADMINISTRATOR, user: { token } }],
  })

const KINDS: Readonly<Record<string, string>> = {
  namespaces: 'Namespace',
  serviceaccounts: 'ServiceAccount',
  pods: 'Pod',
  configmaps: 'ConfigMap',
  secrets: 'Secret',
  events: 'Event',
  resourcequotas: 'ResourceQuota',
  'jobs.batch': 'Job',
  'customresourcedefinitions.apiextensions.k8s.io': 'CustomResourceDefinition',
}
const DEFINITIONS: Place = { kinds: 'customresourcedefinitions.apiextensions.k8s.io', namespace: '' }

/** The rest of a list that is read by pages. */
type Snapshot = { version: number; items: readonly ApiObject[] }

type Server = { store: Store; users: Map<string, string>; snapshots: Map<string, Snapshot> }
type Exchange = Server & { request: IncomingMessage; response: ServerResponse }
type Asked = { place: Place; kind: string; apiVersion: string; name: string; part: string; query: URLSearchParams; user: string }

async function answer(exchange: Exchange): Promise<void> {
  const { store, users, request, response } = exchange
  const user = users.get(/^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? '')
  if (user === undefined) throw new Refusal(401, 'Unauthorized', 'Unauthorized')
  const asked = readPath(store, user, request.url ?? '')
  const body: unknown = await readBody(request)
  if (request.method === 'GET' && asked.name === '')
    return asked.query.get('watch') === 'true' ? watch(exchange, asked) : list(exchange, asked)
  const object = write(exchange, asked, body)
  const isBrief = request.headers.accept?.includes('as=PartialObjectMetadata')
  const whole = isBrief ? { ...BRIEF, metadata: object.metadata } : { ...object, kind: asked.kind, apiVersion: asked.apiVersion }
  send(response, request.method === 'POST' ? 201 : 200, whole)
}

const BRIEF = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' }

/** `/api/v1/…` and `/apis/GROUP/VERSION/…`, with a namespace or without. */
function readPath(store: Store, user: string, target: string): Asked {
  const { pathname, searchParams: query } = new URL(target, 'http://localhost')
  const [, core, group, version, rest = ''] = /^\/(?:(api)|apis\/([^/]+))\/([^/]+)\/(.*)$/.exec(pathname) ?? []
  const segments = rest.split('/').map(decodeURIComponent)
  const [namespace = '', ...inside] = segments[0] === 'namespaces' && segments.length > 2 ? segments.slice(1) : ['', ...segments]
  const [resource = '', name = '', part = ''] = inside
  const kinds = core ? resource : `${resource}.${group}`
  const custom = store.find(DEFINITIONS, kinds)?.spec?.['names'] as { kind: string } | undefined
  const kind = KINDS[kinds] ?? custom?.kind
  if (kind === undefined) throw new Refusal(404, 'NotFound', 'the server could not find the requested resource')
  return { place: { kinds, namespace }, kind, apiVersion: core ? 'v1' : `${group}/${version}`, name, part, query, user }
}

function authorize({ place: { kinds, namespace }, name, user }: Asked, verb: string): void {
  if (user === ADMINISTRATOR) return
  const [resource, ...group] = kinds.split('.')
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const what = `cannot ${verb} resource "${resource}" in API group "${group.join('.')}" ${where}`
  throw new Refusal(403, 'Forbidden', `${kinds}${name && ` "${name}"`} is forbidden: User "${user}" ${what}`)
}

const VERBS: Readonly<Record<string, string>> = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

function write({ store, users, request }: Exchange, asked: Asked, body: unknown): ApiObject {
  const { place, name, part, query } = asked
  authorize(asked, VERBS[request.method ?? ''] ?? '')
  // No node has a kubelet that could be asked.
  if (part === 'log') throw new Refusal(404, 'NotFound', `nodes "${String(store.read(place, name).spec?.['nodeName'])}" not found`)
  if (part === 'token') return issue(users, store.read(place, name))
  switch (request.method) {
    case 'GET':
      return store.read(place, name)
    case 'POST':
      return store.create(place, admit(store, place, body as ApiObject), place.kinds === 'jobs.batch' ? withSelector : undefined)
    case 'PUT':
      return store.update(place, name, part === 'status' ? 'status' : 'object', () => body as ApiObject)
    case 'PATCH':
      return store.update(place, name, part === 'status' ? 'status' : 'object', (object) => patched(object, body))
    default: {
      const grace = query.get('gracePeriodSeconds')
      const propagationPolicy = query.get('propagationPolicy')
      const options = {
        ...(grace !== null && { gracePeriodSeconds: Number(grace) }),
        ...(propagationPolicy !== null && { propagationPolicy }),
      }
      if (place.kinds === 'namespaces') store.empty(name)
      return store.remove(place, name, { ...options, ...(body as object) })
    }
  }
}

function issue(users: Map<string, string>, { metadata }: ApiObject): ApiObject {
  const token = randomUUID()
  users.set(token, `system:serviceaccount:${metadata.namespace}:${metadata.name}`)
  return { metadata, status: { token } }
}

function list({ store, snapshots, response }: Exchange, asked: Asked): void {
  authorize(asked, 'list')
  const { place, kind, apiVersion, query } = asked
  const following = query.get('continue')
  const snapshot =
    following === null ? { version: store.version(), items: store.list(place).filter(selected(query)) } : snapshots.get(following)
  if (!snapshot || store.isForgotten(snapshot.version)) {
    throw new Refusal(410, 'Expired', 'The provided continue parameter is too old to display a consistent list result.')
  }
  const limit = Number(query.get('limit') ?? 0) || Infinity
  const rest = snapshot.items.slice(limit)
  const token = randomUUID()
  if (rest.length > 0) snapshots.set(token, { ...snapshot, items: rest })
  const metadata = {
    resourceVersion: String(snapshot.version),
    ...(rest.length > 0 && { continue: token, remainingItemCount: rest.length }),
  }
  send(response, 200, { kind: `${kind}List`, apiVersion, metadata, items: snapshot.items.slice(0, limit) })
}

function watch({ store, response }: Exchange, asked: Asked): void {
  authorize(asked, 'watch')
  const { place, kind, apiVersion, query } = asked
  const tell = (type: string, object: object) => void response.write(`${JSON.stringify({ type, object })}\n`)
  const isOurs = selected(query)
  const isInPlace = (written: Written) => written.kinds === place.kinds && (place.namespace === '' || written.namespace === place.namespace)
  response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
  try {
    const forget = store.watch(Number(query.get('resourceVersion')), (written) => {
      const { before, after, version } = written
      const [was, is] = [before !== undefined && isOurs(before), after !== undefined && isOurs(after)]
      if (!isInPlace(written) || (!was && !is)) return
      const { metadata, ...rest } = after && is ? after : before!
      const object = { kind, apiVersion, ...rest, metadata: { ...metadata, resourceVersion: String(version) } }
      tell(was ? (is ? 'MODIFIED' : 'DELETED') : 'ADDED', object)
    })
    const end = () => {
      tell('BOOKMARK', { kind, apiVersion, metadata: { resourceVersion: String(store.version()) } })
      response.end()
    }
    const timer = setTimeout(end, Number(query.get('timeoutSeconds') ?? 1800) * 1000)
    response.on('close', () => {
      clearTimeout(timer)
      forget()
    })
  } catch (error) {
    tell('ERROR', statusOf(error))
    response.end()
  }
}

/** Of labels `name` and `name=value`, of fields `path=value`; all must hold. */
function selected(query: URLSearchParams): (object: ApiObject) => boolean {
  const terms = (name: string) => (query.get(name) ?? '').split(',').filter((term) => term !== '')
  const labels = terms('labelSelector').map((term) => term.split('='))
  const fields = terms('fieldSelector').map((term) => term.split('='))
  const fieldOf = (object: unknown, path: string) =>
    path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object)
  return (object) =>
    labels.every(([name = '', value]) => {
      const own = object.metadata.labels?.[name]
      return value === undefined ? own !== undefined : own === value
    }) && fields.every(([path = '', value]) => fieldOf(object, path) === value)
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
}

const statusOf = (error: unknown) => {
  const { code, reason, message, causes } = error instanceof Refusal ? error : new Refusal(500, 'InternalError', String(error))
  const details = { causes: causes.map((cause) => ({ reason: cause })) }
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, details, code }
}

const refuse = (response: ServerResponse, error: unknown) => send(response, statusOf(error).code, statusOf(error))

const send = (response: ServerResponse, code: number, body: object) =>
  void response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
