import { BlockList, isIPv6 } from 'node:net'
import type { V1LabelSelector, V1NetworkPolicy, V1NetworkPolicyPeer, V1NetworkPolicyPort } from '@kubernetes/client-node'

/** The meaning of network policies, by their specification (kubernetes.io, networking.k8s.io/v1), for policies that name ports by number. */

type Labels = Readonly<Record<string, string>>

/** Where a packet comes from or goes to: a pod, or an address that no pod of the cluster has. */
export type Pod = { namespace: string; namespaceLabels?: Labels; labels: Labels; address: string }
export type Place = Pod | { address: string }

export type Packet = { from: Place; to: Place; port: number; protocol?: 'TCP' | 'UDP' }

export type Plugin = {
  /** Whether an ipBlock is compared with pods' addresses too. The specification leaves it open: most plug-ins do (Calico, OVN-Kubernetes), some do not (Cilium). */
  blocksMatchPods: boolean
}

/** Whether the sender's policies let it out and the receiver's let it in. */
export function mayPass(policies: readonly V1NetworkPolicy[], packet: Packet, plugin: Plugin): boolean {
  return passes(policies, 'Egress', packet, plugin) && passes(policies, 'Ingress', packet, plugin)
}

function passes(policies: readonly V1NetworkPolicy[], direction: 'Ingress' | 'Egress', packet: Packet, plugin: Plugin): boolean {
  const [judged, other] = direction === 'Egress' ? [packet.from, packet.to] : [packet.to, packet.from]
  if (!isPod(judged)) return true
  const own = policies.filter((policy) => selects(policy, judged) && typesOf(policy).includes(direction))
  if (own.length === 0) return true
  return own.some(({ metadata, spec }) =>
    rulesOf(spec, direction).some(
      ({ peers, ports }) =>
        (peers.length === 0 || peers.some((peer) => isPeer(peer, other, metadata?.namespace, plugin))) &&
        (ports.length === 0 || ports.some((port) => isPort(port, packet))),
    ),
  )
}

const isPod = (place: Place): place is Pod => 'namespace' in place

const selects = ({ metadata, spec }: V1NetworkPolicy, pod: Pod) =>
  metadata?.namespace === pod.namespace && matches(spec?.podSelector, pod.labels)

const typesOf = ({ spec }: V1NetworkPolicy): string[] =>
  spec?.policyTypes ?? ['Ingress', ...((spec?.egress?.length ?? 0) > 0 ? ['Egress'] : [])]

type Rule = { peers: V1NetworkPolicyPeer[]; ports: V1NetworkPolicyPort[] }

function rulesOf(spec: V1NetworkPolicy['spec'], direction: 'Ingress' | 'Egress'): Rule[] {
  if (direction === 'Egress') return (spec?.egress ?? []).map(({ to = [], ports = [] }) => ({ peers: to, ports }))
  // The client's types have another name for `from`, which files do not.
  const ingress = (spec?.ingress ?? []) as { from?: V1NetworkPolicyPeer[]; ports?: V1NetworkPolicyPort[] }[]
  return ingress.map(({ from = [], ports = [] }) => ({ peers: from, ports }))
}

function isPeer(peer: V1NetworkPolicyPeer, place: Place, namespace: string | undefined, { blocksMatchPods }: Plugin): boolean {
  if (peer.ipBlock) {
    const { cidr, except = [] } = peer.ipBlock
    return (!isPod(place) || blocksMatchPods) && isWithin(place.address, cidr) && !except.some((one) => isWithin(place.address, one))
  }
  if (!isPod(place)) return false
  const isNamespace = peer.namespaceSelector ? matches(peer.namespaceSelector, namespaceLabelsOf(place)) : place.namespace === namespace
  return isNamespace && matches(peer.podSelector, place.labels)
}

/** Kubernetes itself puts the name there. */
const namespaceLabelsOf = ({ namespace, namespaceLabels }: Pod): Labels => ({
  ...namespaceLabels,
  'kubernetes.io/metadata.name': namespace,
})

/** No selector, and an empty one, select all. */
function matches(selector: V1LabelSelector | undefined, labels: Labels): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {}
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key]
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value)
        case 'NotIn':
          return value === undefined || !values.includes(value)
        case 'Exists':
          return value !== undefined
        case 'DoesNotExist':
          return value === undefined
        default:
          throw new Error(`There is no operator ${operator}`)
      }
    })
  )
}

function isPort({ port, endPort, protocol = 'TCP' }: V1NetworkPolicyPort, packet: Packet): boolean {
  if (typeof port === 'string') throw new Error(`The port ${port} has a name: which number that is differs from pod to pod`)
  if (protocol !== (packet.protocol ?? 'TCP')) return false
  // The client's type for a number or a name hides which of them is left.
  return port === undefined || (Number(port) <= packet.port && packet.port <= (endPort ?? Number(port)))
}

function isWithin(address: string, cidr: string): boolean {
  const [network = '', bits] = cidr.split('/')
  const family = isIPv6(network) ? 'ipv6' : 'ipv4'
  if (isIPv6(address) !== isIPv6(network)) return false
  const list = new BlockList()
  list.addSubnet(network, Number(bits), family)
  return list.check(address, family)
}
