import { request } from 'node:http'
import { describe, expect } from 'vitest'
import { createReach, guardedAgents } from './guarded-connect.ts'
import { test } from './test-init.ts'

const settings = { allowedRanges: [], refusedAddresses: ['10.96.0.1'] }

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
  ] as const)('%s may be reached for git: %s, for S3 and hf: %s', ([address, publicOnly, privateToo]) => {
    expect(createReach('public_only', settings)(address, 443)).toBe(publicOnly)
    expect(createReach('private_too', settings)(address, 443)).toBe(privateToo)
  })

  // Guarantee: what is closed stays closed, whatever networks the operator opens.
  test.for([
    ['the Kubernetes API', '10.96.0.1', 443],
    ['the same, mapped', '::ffff:10.96.0.1', 443],
    ['EvalHub', '10.96.0.7', 8083],
    ['EvalHub, mapped', '::ffff:10.96.0.7', 8083],
    ["a cloud's metadata service", '169.254.169.254', 80],
    ['another one', '100.100.100.200', 80],
    ['another one', 'fd00:ec2::254', 80],
    ['what is of the link alone', '169.254.1.1', 80],
    ['what is of the link alone', 'fe80::1', 80],
    ['no particular address', '0.0.0.0', 80],
    ['a multicast address', '224.0.0.1', 80],
  ] as const)("the operator's ranges do not open %s", ([, address, port]) => {
    const everything = ['0.0.0.0/0', '::/0', '10.96.0.0/12', `${address}/${address.includes(':') ? 128 : 32}`]
    const reach = createReach('private_too', { ...settings, hub: { addresses: ['10.96.0.7'], port: 8083 }, allowedRanges: everything })

    expect(reach(address, port)).toBe(false)
    expect(reach('10.96.0.8', port)).toBe(true)
    // What shares a gateway or a machine with the hub is no part of it.
    expect(reach('10.96.0.7', 9000)).toBe(true)
  })

  test("the operator's ranges are reached, and their neighbours are not", () => {
    const reach = createReach('public_only', { ...settings, allowedRanges: ['10.1.0.0/16', 'fd00:1::/32'] })

    expect(['10.1.2.3', '::ffff:10.1.2.3', 'fd00:1::5', '10.2.0.1', 'fd00:2::1'].map((address) => reach(address, 443))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
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
    const reach = (address: string) => {
      judged.push(address)
      return true
    }

    const connected = await get(base.replace('127.0.0.1', 'localhost'), guardedAgents(reach))

    expect(judged).toContain(connected)
  })

  test('refuse a name of which one address is bad', async ({ pod }) => {
    const base = await pod.serve((_, response) => response.end())
    const judged: string[] = []
    const agents = guardedAgents((address) => judged.push(address) > 1)

    expect(await get(base.replace('127.0.0.1', 'localhost'), agents)).toMatch(/^localhost \(.*\) is an address that must not be reached/)
  })
})
