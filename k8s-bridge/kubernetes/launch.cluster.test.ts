import { describe, expect, vi } from 'vitest'
import { makeNamespace, test } from '../../test/cluster.ts'
import { connectKubernetes, readKubeConfig } from './api.ts'
import { describeLaunch } from './test-launch-suite.ts'
import { addWebhook, startWebhook } from './test-api.ts'
import { attemptIn, launch } from './test-launch.ts'

describeLaunch(test)

describe('launch refuses', () => {
  test('what an admission webhook denies', async ({ startOwn }) => {
    const own = await startOwn()
    const api = connectKubernetes(readKubeConfig(own.kubeconfig))
    const tenant = await makeNamespace(api)
    const webhook = await startWebhook(own.certificate!, { allowed: false, status: { code: 403, message: 'images must be signed' } })
    await addWebhook(api, { url: webhook.url, ca: own.certificate!.cert }, tenant)

    await vi.waitFor(
      async () =>
        expect(await launch(api, attemptIn(tenant))).toEqual({
          refused: {
            failureClass: 'rejected',
            message: expect.stringMatching(/^Kubernetes rejected the Job: .*denied the request: images must be signed$/),
          },
        }),
      { timeout: 20_000, interval: 200 },
    )
    await webhook.stop()
  })
})

describe('launch says what stands in its way:', () => {
  test('a webhook that cannot be reached', async ({ api, makeNamespace }) => {
    const tenant = await makeNamespace()
    const remove = await addWebhook(api, { url: 'https://127.0.0.1:1/' }, tenant)

    await vi.waitFor(
      async () =>
        expect(await launch(api, attemptIn(tenant))).toEqual({
          obstacle: { failureClass: 'rejected', message: expect.stringMatching(/^An admission webhook .*failed calling webhook/) },
        }),
      { timeout: 20_000, interval: 200 },
    )
    await remove()
  })
})
