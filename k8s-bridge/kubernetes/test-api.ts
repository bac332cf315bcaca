import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { AdmissionregistrationV1Api, ApiextensionsV1Api } from '@kubernetes/client-node'
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

/** A hardware profile, and the kind itself, which has no schema here. */
export async function makeProfile({ config, custom }: KubernetesApi, namespace: string, profile: object) {
  const kind = { group: 'infrastructure.opendatahub.io', version: 'v1', plural: 'hardwareprofiles' }
  const schema = { openAPIV3Schema: { type: 'object', x_kubernetes_preserve_unknown_fields: true } }
  const body = {
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      scope: 'Namespaced',
      names: { plural: kind.plural, singular: 'hardwareprofile', kind: 'HardwareProfile', listKind: 'HardwareProfileList' },
      versions: [{ name: kind.version, served: true, storage: true, schema }],
    },
  }
  await config
    .makeApiClient(ApiextensionsV1Api)
    .createCustomResourceDefinition({ body })
    .catch((error: { code?: number }) => {
      if (error.code !== 409) throw error
    })
  const { metadata, ...rest } = profile as { metadata?: object }
  const object = { apiVersion: `${kind.group}/${kind.version}`, kind: 'HardwareProfile', metadata: { ...metadata, name: 'small' }, ...rest }
  await vi.waitFor(() => custom.createNamespacedCustomObject({ ...kind, namespace, body: object }), { timeout: 10_000, interval: 100 })
}

/** The same user at another server, which stands in for one in trouble. */
export function pointedAt(kubeconfig: string, server: string) {
  const config = readKubeConfig(kubeconfig)
  config.loadFromClusterAndUser({ name: 'test', server, skipTLSVerify: true }, config.getCurrentUser() ?? { name: 'nobody' })
  return config
}
