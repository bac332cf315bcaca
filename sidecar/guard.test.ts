import { describe, expect, test } from 'vitest'
import { createGuard, RefusedTarget } from './guard.ts'

const guard = createGuard({ hub: new URL('http://hub.evalhub.svc.cluster.local:8080'), apiServer: '10.96.0.1', ownPort: 8081 })

describe('createGuard', () => {
  test.each([
    ['http://m.example', '8.8.8.8'],
    ['http://vllm.team.svc:8000', '10.0.0.7'],
    ['http://localhost:11434', '127.0.0.1'],
    ['http://m', '100.64.1.1'],
    ['http://m', 'fd00::5'],
    ['http://hub.evalhub.svc.cluster.local:9090', '10.96.0.9'],
    ['http://hub.other.svc:8080', '10.96.0.9'],
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
    ['http://m:8081', '127.0.0.1', 'the sidecar itself'],
    ['http://m:8081', '::1', 'the sidecar itself'],
    ['http://hub.evalhub.svc.cluster.local:8080', '10.96.0.9', 'EvalHub itself'],
    ['http://HUB.evalhub.svc:8080', '10.96.0.9', 'EvalHub itself'],
    ['https://hub.evalhub.:8080', '10.96.0.9', 'EvalHub itself'],
  ])('%s at %s may not: %s', async (url, address, why) => {
    const asked = guard(new URL(url), ['8.8.8.8', address])
    await expect(asked).rejects.toThrow(why)
    await expect(asked).rejects.toBeInstanceOf(RefusedTarget)
  })

  describe('with ranges of the operator', () => {
    const inside = { hub: new URL('http://hub.evalhub.svc:8080'), apiServer: '10.96.0.1', ownPort: 8081 }
    const narrow = createGuard(inside, ['10.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', 'fd00:1::/32'])

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
      ['http://m:8081', '127.0.0.1', 'the sidecar itself'],
      ['http://hub.evalhub.svc:8080', '10.0.0.9', 'EvalHub itself'],
    ])('%s at %s is not: %s', async (url, address, why) => {
      const asked = narrow(new URL(url), ['10.0.0.7', address])
      await expect(asked).rejects.toThrow(why)
      await expect(asked).rejects.toBeInstanceOf(RefusedTarget)
    })
  })

  test('the hub is not to be had by its address either', async () => {
    const local = createGuard({ hub: new URL('http://localhost:8080'), ownPort: 8081 })
    await expect(local(new URL('http://127.0.0.1:8080'), ['127.0.0.1'])).rejects.toThrow('EvalHub itself')
    await expect(local(new URL('http://127.0.0.1:8082'), ['127.0.0.1'])).resolves.toBeUndefined()
  })
})
