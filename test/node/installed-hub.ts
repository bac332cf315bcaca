import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { KubernetesObjectApi } from '@kubernetes/client-node'
import { vi } from 'vitest'
import { connectKubernetes, readKubeConfig, type KubernetesApi } from '#k8s-bridge/kubernetes/api.ts'
import { containersOf, only, render, type Manifest } from '../manifests/kustomize.ts'
import { forwardPort } from '../port-forward.ts'
import { startTemporary } from '../start-postgres.ts'
import { makeFolder, removeFolder } from '../temporary-folder.ts'

/** EvalHub as a folder of `infra/kubernetes` installs it, in a namespace of its own, with a database beside the cluster. */
export type InstalledHub = {
  /** Its namespace; its cluster roles have that name before theirs. */
  namespace: string
  /** A pod of the functions. */
  podAddress: string
  /** What the certificate of the proxy is to be trusted by. */
  tls: { ca: string; servername: string }
  runTokenKey: string
  /** Makes a namespace a tenant, as `infra/kubernetes/tenant` does. */
  admit(tenant: string): Promise<void>
  /** The bridge is there from now on. */
  startBridge(): Promise<void>
  stop(): Promise<void>
}

type Images = { evalhub: string; proxy: string }

/** `host` is where pods reach this machine's loopback. */
export type Ground = { api: KubernetesApi; images: Images; host: string }

export const NO_NODE =
  'there is no node to install on: set KUBECONFIG, EVALHUB_TEST_IMAGE (EvalHub’s image, as the node has it), EVALHUB_TEST_PROXY_IMAGE (kube-rbac-proxy’s) and EVALHUB_TEST_HOST (where pods reach this machine’s loopback)'

/** The node that the environment names; undefined if it names none. */
export function groundOfEnvironment(): Ground | undefined {
  const { KUBECONFIG: kubeconfig, EVALHUB_TEST_IMAGE: evalhub, EVALHUB_TEST_PROXY_IMAGE: proxy, EVALHUB_TEST_HOST: host } = process.env
  if (!kubeconfig || !evalhub || !proxy || !host) return undefined
  return { api: connectKubernetes(readKubeConfig(kubeconfig)), images: { evalhub, proxy }, host }
}

const FOLDER = join(import.meta.dirname, '../../infra/kubernetes')
const KEY = 'the key of run tokens in these tests'
const SERVER = 'evalhub-functions.evalhub.svc'

/** What needs a cluster with metrics, or is there already. */
const LEFT_OUT = new Set(['Namespace', 'HorizontalPodAutoscaler', 'PodDisruptionBudget'])

type Installation = { folder: 'base' | 'oidc-cluster'; namespace: string; settings?: Record<string, string> }

/** `settings` are added to those of the folder. */
export async function installHub({ api, images, host }: Ground, { folder, namespace, settings }: Installation): Promise<InstalledHub> {
  await using stack = new AsyncDisposableStack()
  const objects = KubernetesObjectApi.makeApiClient(api.config)
  const own = adapted(render(join(FOLDER, folder)), namespace, images)
  Object.assign(only(own, 'ConfigMap', 'evalhub-settings').data, settings)
  const create = async (manifest: Manifest) => {
    await objects.create(manifest)
    if (manifest.kind.startsWith('Cluster')) stack.defer(async () => void (await objects.delete(manifest)))
  }

  // Pods come from addresses that the server takes nothing from.
  const database = await startTemporary()
  stack.defer(() => database.stop())
  const forward = await forwardPort(Number(new URL(database.url).port))
  stack.defer(() => forward.close())
  const url = Object.assign(new URL(database.url), { host: `${host}:${forward.port}` })
  await makeSecret(api, namespace, 'evalhub-secrets', { DATABASE_URL: url.href, RUN_TOKEN_KEY: KEY })
  const certificate = await makeCertificate()
  await makeSecret(api, namespace, 'evalhub-tls', { 'tls.crt': certificate.cert, 'tls.key': certificate.key })

  const bridge = only(own, 'Deployment', 'evalhub-bridge')
  for (const manifest of own) if (manifest !== bridge) await create(manifest)
  const podAddress = await untilReady(api, namespace, 'functions')

  const lasting = stack.move()
  return {
    namespace,
    podAddress,
    tls: { ca: certificate.cert, servername: SERVER },
    runTokenKey: KEY,
    async admit(tenant) {
      for (const manifest of adapted(render(join(FOLDER, 'tenant')), namespace, images)) {
        await objects.create({ ...manifest, metadata: { ...manifest.metadata, namespace: tenant } })
      }
    },
    async startBridge() {
      // The cluster may have no names for Services.
      const env = bridge.spec.template.spec.containers[0].env as { name: string; value: string }[]
      env.push({ name: 'FUNCTIONS_URL', value: `http://${podAddress}:8083` })
      await create(bridge)
      await untilReady(api, namespace, 'bridge')
    },
    stop: () => lasting.disposeAsync(),
  }
}

/** With EvalHub in `namespace` in place of `evalhub`, and names of its own for what belongs to the whole cluster. */
function adapted(manifests: readonly Manifest[], namespace: string, images: Images): Manifest[] {
  return manifests
    .filter(({ kind }) => !LEFT_OUT.has(kind))
    .map((manifest) => {
      const { metadata, kind, roleRef, subjects } = manifest
      for (const container of containersOf(manifest)) {
        container.image = container.name === 'kube-rbac-proxy' ? images.proxy : images.evalhub
        for (const variable of container.env ?? []) if (variable.name === 'EVALHUB_IMAGE') variable.value = images.evalhub
      }
      if (metadata.namespace !== undefined) metadata.namespace = namespace
      if (kind.startsWith('Cluster')) metadata.name = `${namespace}-${metadata.name}`
      // Those of Kubernetes itself are there already.
      if (roleRef && !roleRef.name.startsWith('system:')) roleRef.name = `${namespace}-${roleRef.name}`
      for (const subject of subjects ?? []) if (subject.namespace !== undefined) subject.namespace = namespace
      return manifest
    })
}

const makeSecret = (api: KubernetesApi, namespace: string, name: string, stringData: Record<string, string>) =>
  api.core.createNamespacedSecret({ namespace, body: { metadata: { name }, stringData } })

/** As docs/install-kubernetes.md makes it. */
async function makeCertificate(): Promise<{ cert: string; key: string }> {
  const folder = await makeFolder()
  const subject = ['-subj', `/CN=${SERVER}`, '-addext', `subjectAltName=DNS:${SERVER}`]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'tls.key']
  await promisify(execFile)('openssl', ['req', '-x509', '-days', '1', ...key, '-out', 'tls.crt', ...subject], { cwd: folder })
  const [cert, privateKey] = await Promise.all(['tls.crt', 'tls.key'].map((name) => readFile(join(folder, name), 'utf8')))
  await removeFolder(folder)
  return { cert: cert ?? '', key: privateKey ?? '' }
}

/** The address of a pod of that component, once all its containers are ready. */
const untilReady = ({ core }: KubernetesApi, namespace: string, component: string): Promise<string> =>
  vi.waitFor(
    async () => {
      const { items } = await core.listNamespacedPod({ namespace, labelSelector: `app.kubernetes.io/component=${component}` })
      const ready = items.find(({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'))
      if (!ready)
        throw new Error(`No pod of ${component} is ready: ${JSON.stringify(items.map(({ status }) => status?.containerStatuses))}`)
      return ready.status?.podIP ?? ''
    },
    { timeout: 100_000, interval: 500 },
  )
