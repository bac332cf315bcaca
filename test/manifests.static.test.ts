import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { containersOf, only, render, type Manifest } from './manifests/kustomize.ts'

const rendered = (folder: string) => render(join(import.meta.dirname, '../infra/kubernetes', folder))
const FOLDERS = ['base', 'oidc', 'oidc-cluster', 'example'] as const

const functionsOf = (manifests: readonly Manifest[]) => only(manifests, 'Deployment', 'evalhub-functions').spec.template.spec
const settingsOf = (manifests: readonly Manifest[]) => only(manifests, 'ConfigMap', 'evalhub-settings').data

/** A Service's port, and the one that it leads to in a pod of the functions. */
function doorsOf(manifests: readonly Manifest[]) {
  const ports = functionsOf(manifests).containers.flatMap((container: { ports: object[] }) => container.ports) as {
    name: string
    containerPort: number
  }[]
  return Object.fromEntries(
    manifests
      .filter(({ kind }) => kind === 'Service')
      .map(({ metadata, spec }) => [
        metadata.name,
        spec.ports.map(({ port, targetPort }: { port: number; targetPort: string }) => [
          port,
          ports.find(({ name }) => name === targetPort)?.containerPort,
        ]),
      ]),
  )
}

describe('behind kube-rbac-proxy', () => {
  const base = rendered('base')
  const proxy = functionsOf(base).containers[1]

  test('what believes headers answers in its pod alone, and no Service leads to it', () => {
    expect(settingsOf(base)).toMatchObject({ IDENTITY_MODE: 'headers', API_HOST: '127.0.0.1' })
    expect(doorsOf(base)).toEqual({ 'evalhub-functions': [[8443, 8443]], 'evalhub-events': [[8083, 8083]] })
    expect(settingsOf(base).FUNCTIONS_URL).toBe('http://evalhub-events.evalhub.svc:8083')
  })

  test('every path but health is asked for, in the namespace that X-Tenant names, and who asks is the proxy’s word', () => {
    expect(proxy.args.filter((arg: string) => /paths|insecure|header/.test(arg))).toEqual([
      '--auth-header-fields-enabled',
      '--auth-header-user-field-name=X-User',
      '--auth-header-groups-field-name=X-Groups',
      '--ignore-paths=/api/v1/health',
    ])
    expect(parse(only(base, 'ConfigMap', 'evalhub-proxy').data['config.yaml'])).toEqual({
      authorization: {
        rewrites: { byHttpHeader: { name: 'X-Tenant' } },
        resourceAttributes: { apiGroup: 'trustyai.opendatahub.io', resource: 'evaluations', namespace: '{{ .Value }}' },
      },
    })
  })

  test('tokens are sent over TLS with forward secrecy, to a certificate that somebody can verify', () => {
    const suites = proxy.args.find((arg: string) => arg.startsWith('--tls-cipher-suites='))
    expect(
      suites
        .split('=')[1]
        .split(',')
        .filter((suite: string) => !/^TLS_ECDHE_.*(GCM|CHACHA20)/.test(suite)),
    ).toEqual([])
    expect(proxy.args).toContain('--tls-cert-file=/etc/evalhub-tls/tls.crt')
    expect(functionsOf(base).volumes).toContainEqual({ name: 'certificate', secret: { secretName: 'evalhub-tls' } })
  })

  test('the proxy has a token of the cluster, and the functions have none', () => {
    const { automountServiceAccountToken, containers, volumes } = functionsOf(base)
    expect(automountServiceAccountToken).toBe(false)
    const holders = volumes.filter(({ projected }: Manifest) =>
      projected?.sources.some((source: object) => 'serviceAccountToken' in source),
    )
    expect(holders).toMatchObject([{ name: 'proxy-account' }])
    const mounting = containers.filter(({ volumeMounts = [] }: Manifest) =>
      volumeMounts.some(({ name }: Manifest) => name === 'proxy-account'),
    )
    expect(mounting).toEqual([proxy])
    expect(only(base, 'Job', 'evalhub-migrate').spec.template.spec.automountServiceAccountToken).toBe(false)
  })
})

test('with tokens of an issuer there is no proxy, nothing of it, and no right that it had', () => {
  const oidc = rendered('oidc')
  expect(settingsOf(oidc)).toMatchObject({ IDENTITY_MODE: 'oidc', API_HOST: '0.0.0.0' })
  expect(doorsOf(oidc)).toEqual({ 'evalhub-functions': [[8080, 8080]], 'evalhub-events': [[8083, 8083]] })
  expect(functionsOf(oidc).volumes).toBeUndefined()
  expect(JSON.stringify(oidc)).not.toMatch(/proxy|subjectaccessreviews|8443|evaluator/)
})

// Guarantee: sidecars know each Service of the hub, to whose addresses no URL of a job leads.
test.for(FOLDERS)('%s: FUNCTIONS_URL and HUB_URLS name every port of the hub’s Services', (folder) => {
  const manifests = rendered(folder)
  const { FUNCTIONS_URL, HUB_URLS } = settingsOf(manifests)
  const named = [FUNCTIONS_URL, ...HUB_URLS.split(',')].map((url: string) => new URL(url).host)
  const doors = Object.entries(doorsOf(manifests)).flatMap(([name, ports]) =>
    ports.map(([port]: number[]) => `${name}.evalhub.svc:${port}`),
  )
  expect(named.toSorted()).toEqual(doors.toSorted())
})

describe.for(FOLDERS)('%s', (folder) => {
  const manifests = rendered(folder)
  const pods = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'Job')

  test('bounds every container, on its node’s disk too, and lets it do nothing that it need not', () => {
    expect(pods.map(({ metadata }) => metadata.name).sort()).toEqual(['evalhub-bridge', 'evalhub-functions', 'evalhub-migrate'])
    for (const pod of pods) {
      expect(pod.spec.template.spec.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      for (const volume of pod.spec.template.spec.volumes ?? []) if (volume.emptyDir) expect(volume.emptyDir.sizeLimit).toBeDefined()
      for (const container of containersOf(pod)) {
        expect(container).toMatchObject({
          resources: {
            requests: { cpu: expect.any(String), memory: expect.any(String), 'ephemeral-storage': expect.any(String) },
            limits: { memory: expect.any(String), 'ephemeral-storage': expect.any(String) },
          },
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        })
      }
    }
  })

  test('asks probes where nobody need prove anything', () => {
    const { readinessProbe, livenessProbe } = functionsOf(manifests).containers[0]
    expect([readinessProbe, livenessProbe]).toMatchObject([
      { httpGet: { path: '/readyz', port: 'metrics' } },
      { httpGet: { path: '/healthz', port: 'metrics' } },
    ])
  })

  test('has one image of EvalHub, in all that it runs and has others run', () => {
    const containers = pods.flatMap(containersOf)
    const own = containers.filter(({ name }) => name !== 'kube-rbac-proxy').map(({ image }) => image)
    const given = containers.flatMap(({ env = [] }) => env).find(({ name }) => name === 'EVALHUB_IMAGE')?.value
    expect(new Set([...own, given])).toEqual(new Set([folder === 'example' ? 'registry.example/evalhub:0.1.0' : 'localhost/evalhub:0.1.0']))
  })
})
