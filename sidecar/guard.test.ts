import { describe, expect, test } from 'vitest'
import { createGuard, RefusedTarget } from './guard.ts'
import { createInside } from './inside.ts'

const HUB = new URL('http://hub.evalhub.svc.cluster.local:8080')
/** What names mean here. */
const NAMES: Record<string, string[]> = {
  [HUB.hostname]: ['10.96.0.77', 'fd00::77'],
  'api.evalhub.svc': ['10.96.0.88'],
  'api.example': ['10.96.0.2'],
}
const lookUp = async (host: string) => NAMES[host] ?? [host]
const settings = { hubs: [{ url: HUB }, { url: new URL('https://api.evalhub.svc:8443') }], apiServer: '10.96.0.1', ownPort: 8082 }
const guard = createGuard(settings, undefined, createInside(settings, lookUp))

describe('createGuard', () => {
  test.each([
    ['http://m.example', '8.8.8.8'],
    ['http://vllm.team.svc:8000', '10.0.0.7'],
    ['http://localhost:11434', '127.0.0.1'],
    ['http://m', '100.64.1.1'],
    ['http://m', 'fd00::5'],
    ['http://hub.other.svc:8080', '10.96.0.9'],
    ['http://10.96.0.77:9090', '10.96.0.77'], // on a machine with the hub
  ])('%s at %s may be asked', async (url, address) => {
    await expect(guard(new URL(url), [address])).resolves.toBeUndefined()
  })

  test.each([
    ['http://m', '169.254.169.254', 'metadata service'],
    ['http://m', '169.254.1.1', 'link alone'],
    ['http://m', '::ffff:169.254.169.254', 'metadata service'],
    ['http://m', '64:ff9b::a9fe:a9fe', 'metadata service'],
    ['http://m', 'fe80::1', 'link alone'],
    ['http://m', 'fd00:ec2::254', 'metadata service'],
    ['http://m', '0.0.0.0', 'no particular address'],
    ['http://m', '224.0.0.1', 'multicast'],
    ['http://m', '10.96.0.1', 'the Kubernetes API'],
    ['https://m', '::ffff:10.96.0.1', 'the Kubernetes API'],
    ['http://m:8082', '127.0.0.1', 'the sidecar itself'],
    ['http://m:8082', '::1', 'the sidecar itself'],
    ['http://hub.evalhub.svc.cluster.local:8080', '10.96.0.9', 'EvalHub itself'],
    ['http://HUB.evalhub.svc:8080', '10.96.0.9', 'EvalHub itself'],
    ['https://hub.evalhub.:8080', '10.96.0.9', 'EvalHub itself'],
    ['http://hub.evalhub.svc.cluster.local:9090', '10.96.0.9', 'EvalHub itself'],
    ['https://hub.evalhub.svc', '10.96.0.9', 'EvalHub itself'],
    // Whatever it is called there, and however its address is written.
    ['http://innocent.example:8080', '10.96.0.77', 'EvalHub itself'],
    ['http://10.96.0.77:8080', '10.96.0.77', 'EvalHub itself'],
    ['http://0x0a60004d:8080', '10.96.0.77', 'EvalHub itself'],
    ['http://m:8080', '::ffff:10.96.0.77', 'EvalHub itself'],
    ['http://m:8080', '64:ff9b::a60:4d', 'EvalHub itself'],
    ['http://m:8080', '2002:a60:4d::', 'EvalHub itself'],
    ['http://m:8080', 'fd00:0::0077', 'EvalHub itself'],
    ['http://m:8081', '10.96.0.77', 'EvalHub itself'],
    ['https://m:8443', '10.96.0.77', 'EvalHub itself'],
    ['https://m:8443', '10.96.0.88', 'EvalHub itself'],
    ['https://api.evalhub', '10.96.0.9', 'EvalHub itself'],
    ['https://m:8083', '10.96.0.77', 'EvalHub itself'],
    ['http://m:6443', '64:ff9b::a60:1', 'the Kubernetes API'],
    ['http://m', '64:ff9b:1:a9fe:a9:fe00:808:808', 'metadata service'],
    ['http://m', 'fd00:c1::a9fe:a9fe', 'metadata service'],
  ])('%s at %s may not: %s', async (url, address, why) => {
    const asked = guard(new URL(url), ['8.8.8.8', address])
    await expect(asked).rejects.toThrow(why)
    await expect(asked).rejects.toBeInstanceOf(RefusedTarget)
  })

  describe('with ranges of the operator', () => {
    const narrow = createGuard(settings, ['10.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', 'fd00:1::/32'], createInside(settings, lookUp))

    test.each([['10.0.0.7'], ['::ffff:10.0.0.7'], ['fd00:1::5'], ['127.0.0.1']])('a model at %s is reached', async (address) => {
      await expect(narrow(new URL('http://m'), [address])).resolves.toBeUndefined()
    })

    test.each([
      ['http://m', '8.8.8.8', 'http://m leads to 8.8.8.8, which is in none of the operator'],
      ['http://m', '192.168.1.1', 'in none of'],
      ['http://m', 'fd00:2::5', 'in none of'],
      // What is inside stays closed, whatever the range.
      ['http://m', '169.254.169.254', 'metadata service'],
      ['http://m', '169.254.1.1', 'link alone'],
      ['http://m', '10.96.0.1', 'the Kubernetes API'],
      ['http://m:8082', '127.0.0.1', 'the sidecar itself'],
      ['http://hub.evalhub.svc:8080', '10.0.0.9', 'EvalHub itself'],
      ['http://m:8080', '10.96.0.77', 'EvalHub itself'],
    ])('%s at %s is not: %s', async (url, address, why) => {
      const asked = narrow(new URL(url), ['10.0.0.7', address])
      await expect(asked).rejects.toThrow(why)
      await expect(asked).rejects.toBeInstanceOf(RefusedTarget)
    })
  })

  test('the hub is not to be had by its address either', async () => {
    const local = createGuard({ hubs: [{ url: new URL('http://localhost:8080') }], ownPort: 8081 })
    await expect(local(new URL('http://127.0.0.1:8080'), ['127.0.0.1'])).rejects.toThrow('EvalHub itself')
    await expect(local(new URL('http://127.0.0.1:8082'), ['127.0.0.1'])).resolves.toBeUndefined()
    // A server of this machine is at each of its addresses.
    for (const address of ['127.0.0.2', '::1']) await expect(local(new URL('http://m:8080'), [address])).rejects.toThrow('EvalHub itself')
  })

  test('a Kubernetes API that is known by its name is closed at its address', async () => {
    const named = { ...settings, apiServer: 'api.example' }
    const check = createGuard(named, undefined, createInside(named, lookUp))
    await expect(check(new URL('https://m'), ['10.96.0.2'])).rejects.toThrow('the Kubernetes API')
    await expect(check(new URL('https://m'), ['10.96.0.3'])).resolves.toBeUndefined()
  })

  test('while nobody can say where the hub is, nothing is asked that could be it', async () => {
    const failing = async () => Promise.reject(new Error('no name server'))
    const check = createGuard({ hubs: [{ url: HUB }], ownPort: 8082 }, undefined, createInside({ hubs: [{ url: HUB }] }, failing))
    await expect(check(new URL('http://m:8080'), ['10.0.0.7'])).rejects.toThrow('no name server')
    await expect(check(new URL('http://m:8000'), ['10.0.0.7'])).resolves.toBeUndefined()
  })

  test('the hub is looked up again after a few seconds, since it may move', async () => {
    let [time, address] = [0, '10.96.0.77']
    const inside = createInside(
      { hubs: [{ url: HUB }] },
      async () => [address],
      () => time,
    )
    const check = createGuard({ hubs: [{ url: HUB }], ownPort: 8082 }, undefined, inside)
    await expect(check(new URL('http://m:8080'), ['10.96.0.78'])).resolves.toBeUndefined()
    ;[time, address] = [5001, '10.96.0.78']
    await expect(check(new URL('http://m:8080'), ['10.96.0.78'])).rejects.toThrow('EvalHub itself')
  })

  test('behind a gateway that leads to models too, the hub is known by its name only', async () => {
    const shared = { ...settings, hubs: [{ url: HUB, isBehindGateway: true }] }
    const check = createGuard(shared, undefined, createInside(shared, lookUp))
    await expect(check(new URL('http://model.team.svc:8080'), ['10.96.0.77'])).resolves.toBeUndefined()
    await expect(check(new URL('http://hub.evalhub:8080'), ['10.96.0.77'])).rejects.toThrow('EvalHub itself')
  })
})
