import { CoreV1Api, KubeConfig, type V1Pod } from '@kubernetes/client-node'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { ApiServer } from '../../test/control-plane.ts'
import { streamFrom } from './api-stream.ts'
import { reflect, type Reflector, type RestartReason, type Timing } from './reflector.ts'
import { startApiProxy, type TestApiProxy } from './test-api-proxy.ts'

type Copied = { uid: string; name: string; version: string; mark: string }
type RawPod = V1Pod & { metadata: { uid: string; resourceVersion: string; name: string } }

const copied = ({ metadata: { uid, name, resourceVersion, annotations } }: RawPod): Copied => ({
  uid,
  name,
  version: resourceVersion,
  mark: annotations?.['mark'] ?? '',
})

/** What a copy of an API server's objects guarantees, on whatever API server `start` starts. */
export function describeReflector(start: () => Promise<ApiServer>): void {
  let server: ApiServer
  let config: KubeConfig
  let proxy: TestApiProxy
  let api: CoreV1Api
  let reflector: Reflector<Copied> | undefined
  const restarts: RestartReason[] = []
  const errors: unknown[] = []
  let changes = 0
  let namespaces = 0
  let namespace = ''

  describe('reflect', () => {
    beforeAll(async () => {
      server = await start()
      config = new KubeConfig()
      config.loadFromFile(server.kubeconfig)
      proxy = await startApiProxy(config.getCurrentCluster()!.server, server.certificate)
      api = config.makeApiClient(CoreV1Api)
    }, 120_000)
    afterAll(async () => {
      await proxy.close()
      await server.stop()
    })
    afterEach(async () => {
      proxy.setRefusing(false)
      proxy.silence(undefined)
      proxy.answerNext([])
      await reflector?.close()
    })

    const throughProxy = () => {
      const behind = new KubeConfig()
      behind.loadFromClusterAndUser({ ...config.getCurrentCluster()!, server: proxy.url }, config.getCurrentUser()!)
      return streamFrom(behind)
    }

    const begin = async (timing: Partial<Timing> = {}) => {
      namespace = `test-${++namespaces}`
      await api.createNamespace({ body: { metadata: { name: namespace } } })
      await api.createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'default' } } })
      restarts.length = errors.length = proxy.asked.length = changes = 0
      await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => create(name)))
      reflector = reflect<RawPod, Copied>({
        open: throughProxy(),
        path: `/api/v1/namespaces/${namespace}/pods`,
        selectors: { labelSelector: 'ours=yes' },
        trim: copied,
        onChange: () => void changes++,
        onRestart: (why) => void restarts.push(why),
        onError: (error) => void errors.push(error),
        goneMs: 60_000,
        timing: { pageSize: 2, pauseMs: 20, pauseMaxMs: 200, ...timing },
      })
      await vi.waitFor(() => expect(reflector?.isSynced()).toBe(true), 10_000)
      await sameAsServer()
    }
    const create = (name: string, ours: 'yes' | 'no' = 'yes') =>
      api.createNamespacedPod({
        namespace,
        body: { metadata: { name, labels: { ours } }, spec: { containers: [{ name: 'adapter', image: 'i' }] } },
      })
    const mark = (name: string, value: string) =>
      api.patchNamespacedPod({ namespace, name, body: [{ op: 'add', path: '/metadata/annotations', value: { mark: value } }] })
    const remove = (name: string) => api.deleteNamespacedPod({ namespace, name, gracePeriodSeconds: 0 })

    const names = () => [...(reflector?.items() ?? [])].map(({ name }) => name).toSorted()
    const goneNames = () => [...(reflector?.gone() ?? [])].map(({ name }) => name)
    /** The copy is what the server itself lists, versions included. */
    const sameAsServer = async (timeoutMs = 10_000) => {
      const list = await api.listNamespacedPod({ namespace, labelSelector: 'ours=yes' })
      const truth = list.items.map((pod) => copied(pod as RawPod))
      await vi.waitFor(() => expect(new Set(reflector?.items())).toEqual(new Set(truth)), { timeout: timeoutMs, interval: 20 })
    }

    test('reads a list of several pages, and follows what is created, changed and deleted', async () => {
      await begin()
      expect(names()).toEqual(['a', 'b', 'c', 'd', 'e'])
      expect(proxy.asked.filter((path) => path.includes('limit=2'))).toHaveLength(3)

      await create('f')
      await mark('b', 'changed')
      await remove('a')
      await sameAsServer()

      expect(names()).toEqual(['b', 'c', 'd', 'e', 'f'])
      expect(goneNames()).toEqual(['a'])
      expect(changes).toBeGreaterThan(1)
      expect(errors).toEqual([])
    })

    test('takes an object that is no longer selected for gone', async () => {
      await begin()
      await api.patchNamespacedPod({ namespace, name: 'c', body: [{ op: 'remove', path: '/metadata/labels/ours' }] })
      await sameAsServer()
      expect(goneNames()).toEqual(['c'])
    })

    test('misses nothing while its connection is cut every second, and reads no list again', async () => {
      await begin()
      const cutting = setInterval(() => proxy.cut(), 1000)
      for (let round = 0; round < 40; round++) {
        await create(`r${round}`)
        await mark(`r${round}`, String(round))
        await mark('a', String(round))
        if (round % 2 === 0) await remove(`r${round}`)
        await new Promise((resolve) => setTimeout(resolve, 125)) // so that the changes meet several cuts
      }
      clearInterval(cutting)
      await sameAsServer()

      const deleted = Array.from({ length: 20 }, (_, at) => `r${at * 2}`)
      expect(goneNames().toSorted()).toEqual(deleted.toSorted())
      expect(restarts.length).toBeGreaterThanOrEqual(4)
      expect(proxy.asked.filter((path) => path.includes('limit='))).toHaveLength(3)
    }, 60_000)

    test('goes on after the API server was killed and started again', async () => {
      await begin()
      await server.killApiServer()
      await vi.waitFor(() => expect(errors.length).toBeGreaterThan(2), 5000)
      await server.startApiServer()
      await remove('b')
      await create('g')
      await sameAsServer()
      expect(names()).toEqual(['a', 'c', 'd', 'e', 'g'])
      expect(goneNames()).toEqual(['b'])
    }, 120_000)

    test('lists again when the server has forgotten its version, and notices what was deleted meanwhile', async () => {
      await begin()
      proxy.setRefusing(true)
      proxy.cut()
      await remove('a')
      await remove('d')
      await create('h')
      await server.forgetVersions()
      await server.killApiServer()
      await server.startApiServer()
      proxy.setRefusing(false)
      await sameAsServer()

      expect(names()).toEqual(['b', 'c', 'e', 'h'])
      expect(goneNames().toSorted()).toEqual(['a', 'd'])
      expect(restarts).toContain('expired')
    }, 120_000)

    test('bears answers of 429 and 500 to lists and watches, and waits as long as it is asked to', async () => {
      await begin()
      proxy.answerNext([500, 503, 429], { 'Retry-After': '1' })
      proxy.cut()
      const startedAtMs = performance.now()
      await vi.waitFor(() => expect(errors).toHaveLength(4), 10_000)
      await remove('e')
      await sameAsServer()

      expect(performance.now() - startedAtMs).toBeGreaterThan(2900)
      expect(String(errors.at(-1))).toContain('was answered 429: the server is busy')
      expect(goneNames()).toEqual(['e'])
    }, 30_000)

    test('reads the first list in the end, however often it is refused', async () => {
      proxy.answerNext([500, 429, 500, 500])
      await begin()
      expect(errors).toHaveLength(4)
    }, 30_000)

    test('gives up a connection on which nothing comes, and misses nothing of what it did not hear', async () => {
      await begin({ silentMs: 1000 })
      proxy.silence(/./)
      await remove('b')
      await mark('c', 'unheard')
      await vi.waitFor(() => expect(restarts).toContain('silent'), 5000)
      proxy.silence(undefined)
      await sameAsServer()
      expect(goneNames()).toEqual(['b'])
    }, 30_000)

    test('goes on from bookmarks, so that a quiet hub is not forgotten beside busy ones', async () => {
      await begin({ watchSeconds: 3 })
      const versionOf = (path = '') => Number(new URL(path, 'https://x').searchParams.get('resourceVersion'))
      const first = versionOf(proxy.asked.at(-1))
      for (const name of ['x', 'y', 'z']) await create(name, 'no')
      await vi.waitFor(() => expect(versionOf(proxy.asked.at(-1))).toBeGreaterThan(first), 15_000)
      expect(new Set(restarts)).toEqual(new Set(['ended']))
      expect(changes).toBe(1)
    }, 30_000)

    test('reads the list again from time to time, and follows on', async () => {
      await begin({ relistMs: 2000 })
      await vi.waitFor(() => expect(restarts).toContain('due'), 10_000)
      await remove('a')
      await sameAsServer()
    }, 30_000)

    test('takes a kind that the cluster does not know for empty if it may be unknown', async () => {
      await begin()
      const unknown = reflect<RawPod, Copied>({
        open: throughProxy(),
        path: '/apis/kueue.x-k8s.io/v1beta1/workloads',
        trim: copied,
        onChange: () => {},
        onRestart: () => {},
        onError: (error) => void errors.push(error),
        isOptional: true,
      })
      await vi.waitFor(() => expect(unknown.isSynced()).toBe(true), 5000)
      expect([...unknown.items()]).toEqual([])
      expect(errors).toEqual([])
      await unknown.close()
    })

    test('takes a kind that it may not look at for empty if it may be, tells it, and sees it once it may', async () => {
      await begin()
      proxy.answerNext([403, 403])
      const denied = reflect<RawPod, Copied>({
        open: throughProxy(),
        path: `/api/v1/namespaces/${namespace}/pods`,
        trim: copied,
        onChange: () => {},
        onRestart: () => {},
        onError: (error) => void errors.push(error),
        isOptional: true,
        timing: { deniedMs: 500 },
      })
      await vi.waitFor(() => expect(denied.isSynced()).toBe(true), 5000)
      expect([...denied.items()]).toEqual([])
      await vi.waitFor(() => expect([...denied.items()]).toHaveLength(5), 10_000)
      expect(errors.map(String)).toEqual(Array(2).fill(expect.stringContaining('was answered 403')))
      await denied.close()
    })

    test('passes over an object that cannot be read, and tells it', async () => {
      await begin()
      const picky = reflect<RawPod, Copied>({
        open: throughProxy(),
        path: `/api/v1/namespaces/${namespace}/pods`,
        trim: (pod) => {
          if (pod.metadata.name === 'b' || pod.metadata.name === 'poison') throw new Error('unreadable')
          return copied(pod)
        },
        onChange: () => {},
        onRestart: () => {},
        onError: (error) => void errors.push(error),
      })
      await vi.waitFor(() => expect(picky.isSynced()).toBe(true), 5000)
      await create('poison')
      await create('f')
      await vi.waitFor(() => expect([...picky.items()].map(({ name }) => name)).toEqual(['a', 'c', 'd', 'e', 'f']), 5000)
      expect(errors.map(String)).toContain('Error: unreadable')
      await picky.close()
    })

    test('ends at once when it is closed, wherever it is', async () => {
      await begin()
      await reflector?.close()
      const before = changes
      await remove('a')
      proxy.setRefusing(true)
      const cut = reflect<RawPod, Copied>({
        open: throughProxy(),
        path: `/api/v1/namespaces/${namespace}/pods`,
        trim: copied,
        onChange: () => {},
        onRestart: () => {},
        onError: () => {},
        timing: { pauseMs: 60_000 },
      })
      await cut.close()
      expect(cut.isSynced()).toBe(false)
      expect(changes).toBe(before)
    })
  })
}
