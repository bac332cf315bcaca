import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { AdmissionregistrationV1Api, ApiextensionsV1Api, type V1OwnerReference } from '@kubernetes/client-node'
import { vi } from 'vitest'
import { readKubeConfig, type KubernetesApi } from './api.ts'

const listening = async (server: ReturnType<typeof createServer | typeof createTlsServer>) => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A server in the place of the API server. */
export async function startServer(handle: RequestListener) {
  const { port, stop } = await listening(createServer(handle))
  return { url: `http://127.0.0.1:${port}`, stop }
}

/** Answers every review with `response`. */
export async function startWebhook({ cert, key }: { cert: string; key: string }, response: object) {
  const server = createTlsServer({ cert, key }, (request, answer) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { apiVersion, kind, request: review } = JSON.parse(Buffer.concat(chunks).toString())
      answer.setHeader('content-type', 'application/json')
      answer.end(JSON.stringify({ apiVersion, kind, response: { uid: review.uid, ...response } }))
    })
  })
  const { port, stop } = await listening(server)
  return { url: `https://127.0.0.1:${port}/`, stop }
}

/** Has a webhook asked about the Jobs of one namespace; answers how to remove it. */
export async function addWebhook({ config }: KubernetesApi, { url, ca }: { url: string; ca?: string }, namespace: string) {
  const admission = config.makeApiClient(AdmissionregistrationV1Api)
  const name = `${namespace}.evalhub.test`
  const webhook = {
    name,
    clientConfig: { url, ...(ca !== undefined && { caBundle: Buffer.from(ca).toString('base64') }) },
    rules: [{ apiGroups: ['batch'], apiVersions: ['v1'], resources: ['jobs'], operations: ['CREATE'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    failurePolicy: 'Fail',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    timeoutSeconds: 2,
  }
  await admission.createValidatingWebhookConfiguration({ body: { metadata: { name }, webhooks: [webhook] } })
  return () => admission.deleteValidatingWebhookConfiguration({ name })
}

/** A hardware profile, and the kind itself. */
export async function makeProfile(api: KubernetesApi, namespace: string, profile: object) {
  const kind = { group: 'infrastructure.opendatahub.io', version: 'v1', plural: 'hardwareprofiles', kind: 'HardwareProfile' }
  const { metadata, ...rest } = profile as { metadata?: object }
  await makeObject(api, kind, namespace, { metadata: { ...metadata, name: 'small' }, ...rest })
}

/** What Kueue would make for a Job, and the kind itself. */
export async function makeWorkload(api: KubernetesApi, namespace: string, name: string, owner?: V1OwnerReference) {
  const kind = { group: 'kueue.x-k8s.io', version: 'v1beta1', plural: 'workloads', kind: 'Workload' }
  await makeObject(api, kind, namespace, { metadata: { name, ...(owner && { ownerReferences: [owner] }) } })
}

type Kind = { group: string; version: string; plural: string; kind: string }

/** An object of a kind that Kubernetes does not know by itself, and the kind, which has no schema here. */
async function makeObject({ config, custom }: KubernetesApi, { kind, ...resource }: Kind, namespace: string, object: object) {
  const { group, version, plural } = resource
  const schema = { openAPIV3Schema: { type: 'object', x_kubernetes_preserve_unknown_fields: true } }
  const body = {
    // Names of groups that are Kubernetes' own ask for a reason.
    metadata: { name: `${plural}.${group}`, annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' } },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  }
  await config
    .makeApiClient(ApiextensionsV1Api)
    .createCustomResourceDefinition({ body })
    .catch((error: { code?: number }) => {
      if (error.code !== 409) throw error
    })
  const whole = { apiVersion: `${group}/${version}`, kind, ...object }
  await vi.waitFor(() => custom.createNamespacedCustomObject({ ...resource, namespace, body: whole }), { timeout: 10_000, interval: 100 })
}

/** The same user at another server, which stands in for one in trouble. */
export function pointedAt(kubeconfig: string, server: string) {
  const config = readKubeConfig(kubeconfig)
  config.loadFromClusterAndUser({ name: 'test', server, skipTLSVerify: true }, config.getCurrentUser() ?? { name: 'nobody' })
  return config
}
