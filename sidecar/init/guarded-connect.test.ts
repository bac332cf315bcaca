import { request } from 'node:http'
import { describe, expect } from 'vitest'
import { createReach, guardedAgents } from './guarded-connect.ts'
import { createInside } from '../inside.ts'
import { test } from './test-init.ts'

const HUB = ['10.96.0.9', '203.0.114.9']
const settings = { allowedRanges: [], apiServer: '10.96.0.1', hubs: [{ url: new URL('http://hub.evalhub.svc:8083') }] }
const inside = createInside(settings, async (host) => (host === 'hub.evalhub.svc' ? HUB : [host]))

/** A target that is asked for by its address. */
const at = (address: string, port = 443) => ({ host: address, address, port })

describe('createReach', () => {
  test.for([
    ['93.184.216.34', true, true],
    ['2606:4700::1111', true, true],
    ['64:ff9b::5db8:d822', true, true],
    ['10.0.0.1', false, true],
    ['192.168.1.1', false, true],
    ['100.64.0.1', false, true],
    ['fd12::1', false, true],
    ['10.96.0.1', false, false],
    ['::ffff:10.96.0.1', false, false],
    ['127.0.0.1', false, false],
    ['::1', false, false],
    ['169.254.169.254', false, false],
    ['169.254.0.1', false, false],
    ['fe80::1', false, false],
    ['fd00:ec2::254', false, false],
    ['64:ff9b::a9fe:a9fe', false, false],
    ['0.0.0.0', false, false],
    ['224.0.0.1', false, false],
    ['no address', false, false],
  ] as const)('%s may be reached for git: %s, for S3 and hf: %s', async ([address, publicOnly, privateToo]) => {
    expect(await createReach('public_only', settings, inside)(at(address))).toBe(publicOnly)
    expect(await createReach('private_too', settings, inside)(at(address))).toBe(privateToo)
  })

  test("the operator's ranges are reached, and their neighbours are not", async () => {
    const reach = createReach('public_only', { ...settings, allowedRanges: ['10.1.0.0/16', 'fd00:1::/32'] }, inside)

    const reached = ['10.1.2.3', '::ffff:10.1.2.3', 'fd00:1::5', '10.2.0.1', 'fd00:2::1'].map((address) => reach(at(address)))
    expect(await Promise.all(reached)).toEqual([true, true, true, false, false])
  })

  // Guarantee: no range of an operator opens the Kubernetes API, the hub, or where clouds hand out credentials.
  test.for([
    ['10.96.0.1', 443],
    ['10.96.0.1', 6443],
    ['::ffff:10.96.0.1', 443],
    ['64:ff9b::a60:1', 443],
    ['10.96.0.9', 8083],
    ['10.96.0.9', 8080],
    ['64:ff9b:1:a60:0:900::', 8081],
    ['203.0.114.9', 8080],
    ['169.254.169.254', 80],
    ['169.254.1.1', 80],
    ['fd00:ec2::254', 80],
    ['100.100.100.200', 80],
    ['0.0.0.0', 80],
  ] as const)('%s port %s is reached by nobody', async ([address, port]) => {
    for (const breadth of ['public_only', 'private_too'] as const) {
      const reach = createReach(breadth, { ...settings, allowedRanges: ['0.0.0.0/0', '::/0'] }, inside)
      expect(await reach(at(address, port))).toBe(false)
    }
  })

  test('a server beside the hub is reached, and its name is not the way to it', async () => {
    const reach = createReach('private_too', settings, inside)
    expect(await reach(at('10.96.0.9', 9000))).toBe(true)
    expect(await reach({ host: 'HUB.evalhub.', address: '10.96.0.10', port: 9000 })).toBe(false)
  })
})

describe('guardedAgents', () => {
  const get = (url: string, agents: ReturnType<typeof guardedAgents>) =>
    new Promise<string>((resolve) => {
      const asked = request(url, { agent: agents.http }, (response) => resolve(response.socket.remoteAddress ?? ''))
      asked.once('error', (error) => resolve(error.message)).end()
    })

  test('connect to the very address that was judged: a name cannot mean another one later', async ({ pod }) => {
    const base = await pod.serve((_, response) => response.end())
    const judged: string[] = []
    const reach = async ({ address }: { address: string }) => {
      judged.push(address)
      return true
    }

    const connected = await get(base.replace('127.0.0.1', 'localhost'), guardedAgents(reach))

    expect(judged).toContain(connected)
  })

  test('refuse a name of which one address is bad', async ({ pod }) => {
    const base = await pod.serve((_, response) => response.end())
    const judged: string[] = []
    const agents = guardedAgents(async ({ address }) => judged.push(address) > 1)

    expect(await get(base.replace('127.0.0.1', 'localhost'), agents)).toMatch(/^localhost \(.*\) is an address that must not be reached/)
  })

  test('judge an address that is written as one, with its port', async ({ pod }) => {
    const base = await pod.serve((_, response) => response.end())
    const judged: unknown[] = []
    const agentsThat = (may: boolean) => guardedAgents(async (target) => (judged.push(target), may))

    expect(await get(base, agentsThat(false))).toMatch(/^127\.0\.0\.1 is an address that must not be reached/)
    expect(await get(base, agentsThat(true))).toBe('127.0.0.1')
    const target = { host: '127.0.0.1', address: '127.0.0.1', port: Number(new URL(base).port) }
    expect(judged).toEqual([target, target])
  })
})
