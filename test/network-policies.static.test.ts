import { join } from 'node:path'
import type { V1NetworkPolicy } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { only, readManifests, render, type Manifest } from './manifests/kustomize.ts'
import { mayPass, type Place, type Pod } from './manifests/network-policy.ts'

/** Who reaches which port, by the policies of `infra/kubernetes` alone: what they would do on a network that enforces them. */

const ROOT = join(import.meta.dirname, '..')
const rendered = (folder: string) => render(join(ROOT, 'infra/kubernetes', folder))

/** Labels of the pods that the bridge makes, as its golden file has them. */
const RUN = only(
  readManifests(join(ROOT, 'k8s-bridge/kubernetes/golden/plain.yaml')),
  'Job',
  'evalhub-0197a5c0-1234-7abc-8def-0123456789ab-0-1',
).spec.template.metadata.labels

const ofTemplate = (manifests: readonly Manifest[], kind: string, name: string) =>
  only(manifests, kind, name).spec.template.metadata.labels as Record<string, string>

function world(folder: 'base' | 'oidc') {
  const hub = rendered(folder)
  const own = (kind: string, name: string, address: string): Pod => ({
    namespace: 'evalhub',
    labels: ofTemplate(hub, kind, name),
    address,
  })
  const pod = (namespace: string, labels: Record<string, string>, address: string, namespaceLabels = {}): Pod => ({
    namespace,
    namespaceLabels,
    labels,
    address,
  })
  const pods = {
    functions: own('Deployment', 'evalhub-functions', '10.244.0.2'),
    bridge: own('Deployment', 'evalhub-bridge', '10.244.0.3'),
    migrate: own('Job', 'evalhub-migrate', '10.244.0.4'),
    run: pod('team-a', RUN, '10.244.1.2'),
    'run of team-b': pod('team-b', RUN, '10.244.1.3'),
    'model of team-a': pod('team-a', { app: 'vllm' }, '10.244.1.4'),
    'notebook of team-b': pod('team-b', { app: 'notebook' }, '10.244.1.5'),
    'shared model': pod('models', { app: 'vllm' }, '10.244.2.2', { 'eval-hub.github.io/reachable': 'true' }),
    database: pod('databases', { app: 'postgres' }, '10.244.2.3'),
    gateway: pod('ingress', { app: 'gateway' }, '10.244.2.4'),
    monitoring: pod('monitoring', { app: 'prometheus' }, '10.244.2.5'),
    names: pod('kube-system', { 'k8s-app': 'kube-dns' }, '10.244.2.6'),
  }
  const tenants = ['team-a', 'team-b'].flatMap((namespace) =>
    rendered('tenant').map((manifest) => ({ ...manifest, metadata: { ...manifest.metadata, namespace } })),
  )
  const policies = [...hub, ...tenants].filter(({ kind }) => kind === 'NetworkPolicy') as V1NetworkPolicy[]
  return { pods, policies }
}

/** Every port that any of our processes listens on, and of what else a cluster has. */
const PORTS = [22, 53, 80, 443, 2379, 5353, 5432, 6443, 8000, 8080, 8081, 8083, 8443, 8444, 10250]

type Name = keyof ReturnType<typeof world>['pods']

// Where a plug-in is of the one kind or of the other, the answers are the same.
describe.for([{ blocksMatchPods: true }, { blocksMatchPods: false }])('in a network of the kind %o', (plugin) => {
  describe.for([
    ['base', 8443],
    ['oidc', 8080],
  ] as const)('of %s', ([folder, api]) => {
    const { pods, policies } = world(folder)
    const isOpen = (from: Place, to: Place, port: number, protocol: 'TCP' | 'UDP' = 'TCP') =>
      mayPass(policies, { from, to, port, protocol }, plugin)
    const openPorts = (from: Place, to: Place) => PORTS.filter((port) => isOpen(from, to, port))

    /** Of each pod that can be reached, the ports. */
    const reachOf = (from: Name) =>
      Object.fromEntries(
        Object.entries(pods).flatMap(([name, to]) => {
          const ports = name === from ? [] : openPorts(pods[from], to)
          return ports.length > 0 ? [[name, ports]] : []
        }),
      )

    test('a run reaches, of all pods, events of the functions, names, its tenant’s own and those that are shared', () => {
      expect(reachOf('run')).toEqual({
        functions: [8083],
        'model of team-a': PORTS,
        'shared model': PORTS,
        names: [53, 5353],
      })
      expect(isOpen(pods.run, pods.names, 53, 'UDP')).toBe(true)
    })

    test.for(['run', 'run of team-b', 'model of team-a', 'notebook of team-b', 'gateway', 'monitoring', 'names'] as const)(
      'nobody reaches a run: %s',
      (from) => {
        const to = from === 'run' ? pods['run of team-b'] : pods.run
        expect(openPorts(pods[from], to)).toEqual([])
      },
    )

    test('the API is for any pod but a run, of whatever tenant; events are for runs; metrics are for monitoring', () => {
      const reaching = (port: number) => (Object.keys(pods) as Name[]).filter((name) => isOpen(pods[name], pods.functions, port))
      const everybody = (Object.keys(pods) as Name[]).filter((name) => !name.startsWith('run'))
      expect(reaching(api)).toEqual(everybody)
      expect(reaching(8083)).toEqual(['run', 'run of team-b'])
      expect(reaching(8081)).toEqual(['monitoring'])
    })

    test('nothing else of the functions is open to anybody: not the port behind the proxy, not its probes', () => {
      const others = [...PORTS, 1, 8082, 8084, 9090, 65_535].filter((port) => ![api, 8081, 8083].includes(port))
      for (const from of [...Object.values(pods), { address: '203.0.113.9' }]) {
        expect(others.filter((port) => isOpen(from, pods.functions, port))).toEqual([])
      }
    })

    test('the bridge is asked by monitoring for metrics, and the migration by nobody', () => {
      for (const name of Object.keys(pods) as Name[]) {
        expect(openPorts(pods[name], pods.bridge)).toEqual(name === 'monitoring' ? [8081] : [])
        expect(openPorts(pods[name], pods.migrate)).toEqual([])
      }
    })

    test('labels of a tenant’s namespace open nothing more to its runs', () => {
      const run = { ...pods.run, namespaceLabels: { 'eval-hub.github.io/reachable': 'true' } }
      expect(openPorts(run, pods.functions)).toEqual([8083])
      expect(openPorts(run, pods['run of team-b'])).toEqual([])
    })

    test.for([
      ['the API server’s Service', '10.96.0.1'],
      ['the API server’s Service', '172.30.0.1'],
      ['the API server’s Service on GKE', '34.118.224.1'],
      ['a node', '192.168.7.4'],
      ['a node', '10.0.0.7'],
      ['a neighbour behind carrier-grade NAT', '100.64.3.4'],
      ['the node itself', '127.0.0.1'],
      ['metadata of nearly everybody', '169.254.169.254'],
      ['credentials of tasks', '169.254.170.2'],
      ['credentials of pods', '169.254.170.23'],
      ['metadata of Alibaba', '100.100.100.200'],
      ['metadata of Azure', '168.63.129.16'],
      ['metadata of Oracle', '192.0.0.192'],
      ['metadata of Scaleway', '169.254.42.42'],
      ['metadata of Tencent', '169.254.0.23'],
      ['metadata of AWS, IPv6', 'fd00:ec2::254'],
      ['credentials of AWS’s pods, IPv6', 'fd00:ec2::23'],
      ['metadata of Google, IPv6', 'fd20:ce::254'],
      ['metadata of Scaleway, IPv6', 'fd00:42::42'],
      ['metadata of OpenStack, IPv6', 'fe80::a9fe:a9fe'],
      ['a Service, IPv6', 'fd00:10:96::1'],
      ['metadata through NAT64', '64:ff9b::a9fe:a9fe'],
      ['metadata through a local NAT64', '64:ff9b:1::a9fe:a9fe'],
      ['metadata through 6to4', '2002:a9fe:a9fe::1'],
      ['metadata through Teredo', '2001:0:5601:5601::1'],
      ['metadata as a mapped address', '::ffff:a9fe:a9fe'],
      ['metadata as a compatible address', '::a9fe:a9fe'],
      ['loopback, IPv6', '::1'],
      ['broadcast', '255.255.255.255'],
      ['multicast', 'ff02::1'],
    ] as const)('a run does not reach %s (%s)', ([, address]) => {
      expect(openPorts(pods.run, { address })).toEqual([])
    })

    test('a run reaches the internet, and the cache of names on its node for names alone', () => {
      for (const address of ['203.0.113.9', '8.8.8.8', '2001:4860:4860::8888', '2a00:1450::1']) {
        expect(openPorts(pods.run, { address })).toEqual(PORTS)
      }
      expect(openPorts(pods.run, { address: '169.254.20.10' })).toEqual([53, 5353])
    })
  })
})
