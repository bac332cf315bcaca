import type { V1NetworkPolicy } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { mayPass, type Place } from './network-policy.ts'

const A = { namespace: 'a', labels: { app: 'web' }, address: '10.0.0.1' }
const B = { namespace: 'b', namespaceLabels: { team: 'red' }, labels: { app: 'db', tier: 'back' }, address: '10.0.0.2' }
const OUTSIDE = { address: '203.0.113.9' }

const policy = (namespace: string, spec: string) => ({ metadata: { namespace }, spec: parse(spec) }) as V1NetworkPolicy

const may = (specs: [string, string][], from: Place, to: Place, port = 80, blocksMatchPods = true) =>
  mayPass(
    specs.map(([namespace, spec]) => policy(namespace, spec)),
    { from, to, port },
    { blocksMatchPods },
  )

// Each as the reference of the API says it.
describe('a policy', () => {
  test('isolates the pods that it selects, in its namespace, and no others', () => {
    const deny: [string, string] = ['b', '{ podSelector: { matchLabels: { app: db } }, policyTypes: [Ingress] }']
    expect(may([], A, B)).toBe(true)
    expect(may([deny], A, B)).toBe(false)
    expect(may([['a', deny[1]]], A, B)).toBe(true)
    expect(may([deny], A, { ...B, labels: {} })).toBe(true)
    expect(may([deny], B, OUTSIDE)).toBe(true)
  })

  test('judges ingress always, and egress where it has rules for it, unless its types are given', () => {
    expect(may([['b', '{ podSelector: {} }']], A, B)).toBe(false)
    expect(may([['a', '{ podSelector: {} }']], A, B)).toBe(true)
    expect(may([['a', '{ podSelector: {}, egress: [] }']], A, B)).toBe(true)
    expect(may([['a', '{ podSelector: {}, egress: [{ ports: [{ port: 81 }] }] }']], A, B)).toBe(false)
    expect(may([['a', '{ podSelector: {}, policyTypes: [Egress] }']], A, B)).toBe(false)
  })

  test('adds to others, and takes nothing from them', () => {
    const deny: [string, string] = ['b', '{ podSelector: {}, ingress: [] }']
    const allow: [string, string] = ['b', '{ podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] }']
    expect(may([deny, allow], A, B)).toBe(true)
    expect(may([deny, allow], A, B, 81)).toBe(false)
  })

  test('needs both sides to agree', () => {
    const out: [string, string] = ['a', '{ podSelector: {}, policyTypes: [Egress], egress: [{ to: [{ namespaceSelector: {} }] }] }']
    const shut: [string, string] = ['b', '{ podSelector: {} }']
    expect(may([out], A, B)).toBe(true)
    expect(may([out, shut], A, B)).toBe(false)
  })
})

describe('a peer', () => {
  const admits = (from: string, place: Place, blocksMatchPods = true) =>
    may([['b', `{ podSelector: {}, ingress: [{ from: ${from} }] }`]], place, B, 80, blocksMatchPods)

  test('without a namespace is of the policy’s own', () => {
    expect(admits('[{ podSelector: {} }]', A)).toBe(false)
    expect(admits('[{ podSelector: {} }]', { ...A, namespace: 'b' })).toBe(true)
  })

  test('with both selectors fits both, and two peers are either', () => {
    const namespace = '{ matchLabels: { kubernetes.io/metadata.name: a } }'
    expect(admits(`[{ namespaceSelector: ${namespace}, podSelector: { matchLabels: { app: web } } }]`, A)).toBe(true)
    expect(admits(`[{ namespaceSelector: ${namespace}, podSelector: { matchLabels: { app: db } } }]`, A)).toBe(false)
    expect(admits(`[{ namespaceSelector: ${namespace} }, { podSelector: { matchLabels: { app: db } } }]`, A)).toBe(true)
  })

  test('is selected by what its labels are, and what they are not', () => {
    const by = (expression: string) => admits(`[{ namespaceSelector: {}, podSelector: { matchExpressions: [${expression}] } }]`, A)
    expect(by('{ key: app, operator: In, values: [web, db] }')).toBe(true)
    expect(by('{ key: app, operator: NotIn, values: [web] }')).toBe(false)
    expect(by('{ key: nothing, operator: NotIn, values: [web] }')).toBe(true)
    expect(by('{ key: nothing, operator: Exists }')).toBe(false)
    expect(by('{ key: nothing, operator: DoesNotExist }')).toBe(true)
  })

  test('is an address of a block without its exceptions; whether a pod’s counts is the plug-in’s', () => {
    const block = '[{ ipBlock: { cidr: 0.0.0.0/0, except: [203.0.113.0/29] } }]'
    expect(admits(block, OUTSIDE)).toBe(true)
    expect(admits(block, { address: '203.0.113.7' })).toBe(false)
    expect(admits(block, { address: '2001:4860::8888' })).toBe(false)
    expect(admits(block, A)).toBe(true)
    expect(admits(block, A, false)).toBe(false)
    expect(admits('[{ podSelector: {} }]', OUTSIDE)).toBe(false)
  })

  test('is everybody where none is named', () => {
    expect(admits('[]', OUTSIDE)).toBe(true)
  })
})

test('a port is one, a range, or all, of TCP unless it is said', () => {
  const admits = (ports: string, port: number) => may([['b', `{ podSelector: {}, ingress: [{ ports: ${ports} }] }`]], A, B, port)
  expect(admits('[{ port: 80, endPort: 90 }]', 85)).toBe(true)
  expect(admits('[{ port: 80, endPort: 90 }]', 91)).toBe(false)
  expect(admits('[{ protocol: TCP }]', 91)).toBe(true)
  expect(admits('[{ port: 80, protocol: UDP }]', 80)).toBe(false)
  expect(() => admits('[{ port: http }]', 80)).toThrow(/name/)
})
