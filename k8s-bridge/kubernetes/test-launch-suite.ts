import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { V1ObjectMeta } from '@kubernetes/client-node'
import { describe, expect, vi } from 'vitest'
import { jobName } from '#shared/domain/attempt-key.ts'
import type { TestOnCluster } from '../../test/cluster.ts'
import { connectKubernetes, readKubeConfig } from './api.ts'
import { HUB_LABEL } from './labels.ts'
import { launch as launchAttempt } from './launch.ts'
import { jobFor } from './manifest.ts'
import { makeProfile, pointedAt, startServer } from './test-api.ts'
import { inBase64, settings } from './test-attempt.ts'
import { attemptIn, launch, makeQuota, objectsOf } from './test-launch.ts'

const ownersOf = (object: { metadata?: V1ObjectMeta } | undefined) => object?.metadata?.ownerReferences?.map(({ uid }) => uid)
const MODEL_SECRET = { name: 'model', annotations: { 'evalhub/hosts': 'model.example' } }
const withModelSecret = { request: { model: { url: 'https://model.example/v1', name: 'm', auth: { secret_ref: 'model' } } } }

/** What launching an attempt guarantees, on whatever API server `test` runs. */
export function describeLaunch(test: TestOnCluster): void {
  describe('launch', () => {
    test('makes the Job, and a ConfigMap and a Secret that it owns', async ({ api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace(), withModelSecret)
      const data = { 'api-key': 'sk-secret', judge_url: 'https://judge.example/v1' }
      await api.core.createNamespacedSecret({ namespace: attempt.tenant, body: { metadata: MODEL_SECRET, stringData: data } })

      const launched = await launch(api, attempt)

      const { job, spec, secret } = await objectsOf(api, attempt)
      expect(launched).toEqual({ objectUid: job?.metadata?.uid })
      expect([ownersOf(spec), ownersOf(secret)]).toEqual([[job?.metadata?.uid], [job?.metadata?.uid]])
      expect(JSON.parse(spec?.data?.['job.json'] ?? '')).toMatchObject({
        id: attempt.evaluationId,
        model: { url: 'http://localhost:8080/v1' },
      })
      expect(secret?.data).toMatchObject(inBase64({ 'api-key': 'api-key:ref', judge_url: 'http://localhost:8080/v1' }))
      expect(Buffer.from(secret?.data?.['run-token'] ?? '', 'base64').toString()).toMatch(/^evalhub-run\.0\.1\.[0-9a-f]{64}$/)
      expect(JSON.stringify([job, spec, secret])).not.toContain(Buffer.from('sk-secret').toString('base64'))
    })

    test('twice, and twice at once, is launching once', async ({ api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace())

      const first = await Promise.all([launch(api, attempt), launch(api, attempt)])
      const again = await launch(api, attempt)

      expect(new Set([...first, again].map((one) => JSON.stringify(one))).size).toBe(1)
      expect(again).toEqual({ objectUid: expect.any(String) })
      expect((await api.batch.listNamespacedJob({ namespace: attempt.tenant })).items).toHaveLength(1)
    })

    test('adopts the Job of a bridge that died, and makes what is missing of it', async ({ api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace())
      const body = jobFor(attempt, settings, { hasMlflowCa: false })
      const { metadata } = await api.batch.createNamespacedJob({ namespace: attempt.tenant, body })

      const launched = await launch(api, attempt)

      const { spec, secret } = await objectsOf(api, attempt)
      expect(launched).toEqual({ objectUid: metadata?.uid })
      expect([ownersOf(spec), ownersOf(secret)]).toEqual([[metadata?.uid], [metadata?.uid]])
    })

    test.for([
      ['another hub', { [HUB_LABEL]: 'another' }],
      ['another run', { benchmark_index: '7' }],
      ['another attempt', { 'eval-hub.github.io/attempt': '9' }],
    ] as const)('touches no Job of its name that was made for %s', async ([, labels], { api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace())
      const body = jobFor(attempt, settings, { hasMlflowCa: false })
      body.metadata!.labels = { ...body.metadata!.labels, ...labels }
      await api.batch.createNamespacedJob({ namespace: attempt.tenant, body })

      const refused = await launch(api, attempt)

      expect(refused).toEqual({
        refused: { failureClass: 'rejected', message: expect.stringMatching(/^The Job evalhub-.* not made by this hub/) },
      })
      expect(await objectsOf(api, attempt)).toMatchObject({ spec: undefined, secret: undefined })
    })

    test('waits for what an earlier Job of the name left behind, and adopts none of it', async ({ api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace())
      await launch(api, attempt)
      await api.batch.deleteNamespacedJob({ namespace: attempt.tenant, name: jobName(attempt), propagationPolicy: 'Orphan' })
      // Nobody but a controller removes what holds a Job that is deleted so.
      await api.batch
        .patchNamespacedJob({ namespace: attempt.tenant, name: jobName(attempt), body: [{ op: 'remove', path: '/metadata/finalizers' }] })
        .catch(() => undefined)

      await expect(launch(api, attempt)).rejects.toThrow(/belongs to an earlier Job of the same name/)
    })
  })

  describe('launch refuses', () => {
    test('what Kubernetes rejects, in its words', async ({ api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace(), { spec: { hardware_config: { cpu: { request: '4' } } } })

      expect(await launch(api, attempt)).toEqual({
        refused: {
          failureClass: 'rejected',
          message: expect.stringMatching(/^Kubernetes rejected the Job: .*must be less than or equal to cpu limit of 1/),
        },
      })
      expect(await objectsOf(api, attempt)).toMatchObject({ job: undefined })
    })

    test('a job.json that no ConfigMap holds, and leaves the Job to the pass', async ({ api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace(), { spec: { parameters: { prompt: 'x'.repeat(1_100_000) } } })

      expect(await launch(api, attempt)).toEqual({
        refused: { failureClass: 'rejected', message: expect.stringMatching(/^Kubernetes rejected the ConfigMap: .*1048576/) },
      })
    })

    test.for([
      [undefined, /^The hardware profile 'small' was not found in namespace test-/],
      [{ metadata: { annotations: { 'opendatahub.io/disabled': 'true' } }, spec: {} }, /^The hardware profile 'small' is disabled/],
      [
        { spec: { identifiers: [{ identifier: 'cpu', defaultCount: 'many' }] } },
        /^The hardware profile 'small' is invalid: spec\.identifiers/,
      ],
    ] as const)('a hardware profile that cannot be used: %j', async ([profile, message], { api, makeNamespace }) => {
      const namespace = await makeNamespace()
      if (profile) await makeProfile(api, namespace, profile)
      const attempt = attemptIn(namespace, { spec: { hardware_config: { hardware_profile_name: 'small' } } })

      const refused = await launch(api, attempt, { hardwareProfilesNamespace: namespace })

      expect(refused).toEqual({ refused: { failureClass: 'missing_config', message: expect.stringMatching(message) } })
    })
  })

  describe('launch says what stands in its way:', () => {
    test('a Secret of the model, and launches once it is there', async ({ api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace(), withModelSecret)

      expect(await launch(api, attempt)).toEqual({
        obstacle: {
          failureClass: 'missing_secret',
          message: expect.stringMatching(/^The Secret model of the model does not exist in namespace test-/),
        },
      })

      await api.core.createNamespacedSecret({
        namespace: attempt.tenant,
        body: { metadata: MODEL_SECRET, stringData: { 'api-key': 'k' } },
      })
      expect(await launch(api, attempt)).toEqual({ objectUid: expect.any(String) })
    })

    test('an address in that Secret', async ({ api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace(), withModelSecret)
      const body = { metadata: { name: 'model' }, stringData: { judge_url: 'judge' } }
      await api.core.createNamespacedSecret({ namespace: attempt.tenant, body })

      expect(await launch(api, attempt)).toMatchObject({
        obstacle: { failureClass: 'missing_secret', message: expect.stringContaining('judge_url') },
      })
    })

    test('the tenant’s namespace', async ({ api }) => {
      expect(await launch(api, attemptIn('absent'))).toEqual({
        obstacle: { failureClass: 'missing_config', message: expect.stringMatching(/^The namespace absent of this tenant does not exist/) },
      })
    })

    test('room in a quota, for each of the three objects', async ({ api, makeNamespace }) => {
      for (const [resource, used] of [
        ['count/jobs.batch', 0],
        ['count/configmaps', 0],
        ['count/secrets', 0],
      ] as const) {
        const attempt = attemptIn(await makeNamespace())
        await makeQuota(api, attempt.tenant, { [resource]: String(used) })

        const outcome = await vi.waitFor(async () => {
          const result = await launch(api, attempt)
          expect(result).toMatchObject({ obstacle: { failureClass: 'quota' } })
          return result
        })

        expect(outcome).toMatchObject({ obstacle: { message: expect.stringMatching(/has no room for the \w+: .*exceeded quota: small/) } })
      }
    })

    test('rights in the namespace', async ({ makeNamespace, connectAs }) => {
      const attempt = attemptIn(await makeNamespace())
      const stranger = await connectAs(attempt.tenant, 'default')

      expect(await launch(stranger, attempt)).toEqual({
        obstacle: {
          failureClass: 'missing_config',
          message: expect.stringMatching(/^EvalHub may create no Job in namespace test-.*cannot create resource/),
        },
      })
    })
  })

  describe('launch throws, in one line,', () => {
    test('when the API server is away, and adopts what was made once it is back', async ({ startOwn }) => {
      const own = await startOwn()
      const api = connectKubernetes(readKubeConfig(own.kubeconfig))
      await api.core.createNamespace({ body: { metadata: { name: 'tenant' } } })
      const attempt = attemptIn('tenant')
      const launched = await launch(api, attempt)

      await own.killApiServer()
      await expect(launch(api, attempt)).rejects.toThrow(
        /^Kubernetes cannot be reached: (connect ECONNREFUSED|read ECONNRESET|socket hang up)/,
      )
      await own.startApiServer()

      // A connection that was kept may be found broken once more.
      expect(await vi.waitFor(() => launch(api, attempt))).toEqual(launched)
    })

    test.for([
      [429, /^Kubernetes answered 429: busy$/],
      [500, /^Kubernetes answered 500: busy$/],
      [503, /^Kubernetes answered 503: busy$/],
    ] as const)('an answer %i', async ([code, message], { kubeconfig }) => {
      const server = await startServer((_request, response) =>
        response.writeHead(code, { 'content-type': 'application/json' }).end('{"message":"busy"}'),
      )
      const api = connectKubernetes(pointedAt(kubeconfig, server.url))

      await expect(launch(api, attemptIn('tenant'))).rejects.toThrow(message)
      await server.stop()
    })

    test('a server that does not answer before the lease ends', async ({ kubeconfig }) => {
      const server = await startServer(() => {})
      const api = connectKubernetes(pointedAt(kubeconfig, server.url))
      const input = { ...attemptIn('tenant'), signal: AbortSignal.timeout(200) }
      const begun = performance.now()

      await expect(launchAttempt(api, settings, input)).rejects.toThrow(/^Kubernetes did not answer in time$/)
      // Long before the time-out of other calls.
      expect(performance.now() - begun).toBeLessThan(5000)
      await server.stop()
    })
  })

  // A handshake for each call would cost more than all else.
  test('launches share their connections', async ({ api, makeNamespace }) => {
    const tenant = await makeNamespace()
    let connections = 0
    const count = () => void connections++
    subscribe('net.client.socket', count)

    for (let number = 0; number < 10; number++) await launch(api, attemptIn(tenant))

    unsubscribe('net.client.socket', count)
    expect(connections).toBeGreaterThan(0)
    expect(connections).toBeLessThanOrEqual(3)
  })
}
