import { randomUUID } from 'node:crypto'
import { vi } from 'vitest'
import type { KubernetesApi } from '#k8s-bridge/kubernetes/api.ts'

/** A request, sent as it stands: a path is not tidied up, and a list of values is as many headers. `TOKEN` in a value is the token of the pod's account. */
export type Question = { url: string; path?: string; method?: string; headers?: Record<string, string | string[]>; body?: unknown }

/** The status, or the reason why there was no answer, and the beginning of the body. */
export type Told = { status: number | string; text: string; location?: string }

export type Asker = {
  image: string
  namespace: string
  labels?: Record<string, string>
  /** Its token is what the pod has, for the API server or for `audience`; without one the pod has none. */
  account?: string
  audience?: string
  /** Who is to be trusted over TLS (PEM), and the name that the server is to have. */
  tls: { ca: string; servername: string }
}

const PROGRAM = `
const { ca, servername, questions, hasToken } = JSON.parse(process.env.ASK)
const token = hasToken ? require('fs').readFileSync('/var/run/secrets/ask/token', 'utf8') : ''
const withToken = (value) => (Array.isArray(value) ? value.map(withToken) : value.replace('TOKEN', token))
const ask = ({ url, path, method = 'GET', headers = {}, body }) =>
  new Promise((resolve) => {
    const { protocol, hostname, port, pathname, search } = new URL(url)
    const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, withToken(value)]))
    const tls = { ca, servername, checkServerIdentity: (_, cert) => require('tls').checkServerIdentity(servername, cert) }
    const text = body === undefined ? undefined : JSON.stringify(body)
    const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }
    const options = { hostname, port, path: path ?? pathname + search, method, headers: { ...length, ...own }, timeout: 5000, ...tls }
    const request = require(protocol.slice(0, -1)).request(options, (response) => {
      let text = ''
      response.on('data', (data) => (text += data))
      response.on('end', () => resolve({ status: response.statusCode, text: text.slice(0, 4000), location: response.headers.location }))
    })
    // The answer to CONNECT.
    request.on('connect', (response, socket) => {
      socket.destroy()
      resolve({ status: response.statusCode, text: '' })
    })
    request.on('timeout', () => request.destroy(Object.assign(new Error(), { code: 'TIMEOUT' })))
    request.on('error', (error) => resolve({ status: error.code ?? error.message, text: '' }))
    request.end(text)
  })
;(async () => {
  const told = {}
  for (const [name, question] of Object.entries(questions)) told[name] = await ask(question)
  console.log(JSON.stringify(told))
})()
`

/** Asks all, one after the other, from a pod that a tenant might have, and answers what came of each. */
export async function askFromPod<Name extends string>(
  { core }: KubernetesApi,
  { image, namespace, labels = {}, account, audience, tls }: Asker,
  questions: Record<Name, Question>,
): Promise<Record<Name, Told>> {
  const name = `ask-${randomUUID()}`
  const ask = JSON.stringify({ ...tls, questions, hasToken: account !== undefined })
  const serviceAccountToken = { path: 'token', expirationSeconds: 600, ...(audience !== undefined && { audience }) }
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
  await core.createNamespacedPod({
    namespace,
    body: {
      metadata: { name, labels },
      spec: {
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        ...(account !== undefined && { serviceAccountName: account }),
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        volumes: account === undefined ? [] : [{ name: 'token', projected: { sources: [{ serviceAccountToken }] } }],
        containers: [
          {
            name: 'ask',
            image,
            command: ['node', '-e', PROGRAM],
            env: [{ name: 'ASK', value: ask }],
            volumeMounts: account === undefined ? [] : [{ name: 'token', mountPath: '/var/run/secrets/ask' }],
            securityContext,
          },
        ],
      },
    },
  })
  await vi.waitFor(
    async () => {
      const { status } = await core.readNamespacedPod({ namespace, name })
      if (status?.phase !== 'Succeeded')
        throw new Error(`The pod that asks is ${status?.phase}: ${JSON.stringify(status?.containerStatuses)}`)
    },
    { timeout: 60_000, interval: 200 },
  )
  const told = JSON.parse(await core.readNamespacedPodLog({ namespace, name })) as Record<Name, Told>
  await core.deleteNamespacedPod({ namespace, name, gracePeriodSeconds: 0 })
  return told
}
