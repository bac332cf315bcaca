import { describe, expect } from 'vitest'
import type { TestOnCluster } from '../../test/cluster.ts'
import type { KubernetesApi } from './api.ts'
import type { Changes } from './test-attempt.ts'
import { attemptIn, launch, objectsOf } from './test-launch.ts'

/** What is done about the hosts that a Secret may be sent to, on whatever API server `test` runs. */
export function describeSecretHosts(test: TestOnCluster): void {
  // Guarantee: whoever may submit jobs in a namespace cannot send its Secrets where their keepers do not want them.
  describe('a Secret that a run names', () => {
    const makeSecret = (api: KubernetesApi, namespace: string, hosts?: string) =>
      api.core.createNamespacedSecret({
        namespace,
        body: {
          metadata: { name: 'keys', ...(hosts !== undefined && { annotations: { 'evalhub/hosts': hosts } }) },
          stringData: { 'api-key': 'sk-secret', username: 'u', password: 'pw-secret' },
        },
      })
    const sendingIt: Record<string, Changes> = {
      model: { request: { model: { url: 'https://evil.example/v1', name: 'm', auth: { secret_ref: 'keys' } } } },
      git: { spec: { test_data_ref: { git: { url: 'https://evil.example/a.git', ref: 'main', secret_ref: 'keys' } } } },
    }

    test.for(Object.entries(sendingIt))('goes to no host that its list has not: %s', async ([, changes], { api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace(), changes)
      await makeSecret(api, attempt.tenant, 'model.example, *.git.example')

      for (const modelSecretHosts of ['warn', 'require'] as const) {
        expect(await launch(api, attempt, { modelSecretHosts })).toEqual({
          refused: {
            failureClass: 'missing_config',
            message: expect.stringMatching(/^The Secret keys .* may not go to evil\.example:443, where /),
          },
        })
      }
      expect(await objectsOf(api, attempt)).toEqual({ job: undefined, spec: undefined, secret: undefined })
      expect(await launch(api, attempt, { modelSecretHosts: 'off' })).toEqual({ objectUid: expect.any(String) })
    })

    test.for(Object.entries(sendingIt))(
      'without a list goes nowhere where one is required, and with a warning else: %s',
      async ([, changes], { api, makeNamespace }) => {
        const attempt = attemptIn(await makeNamespace(), changes)
        await makeSecret(api, attempt.tenant)

        const words = new RegExp(`kubectl -n ${attempt.tenant} annotate secret keys evalhub/hosts='evil\\.example'$`)
        const refused = await launch(api, attempt, { modelSecretHosts: 'require' })
        expect(refused).toEqual({ refused: { failureClass: 'missing_config', message: expect.stringMatching(words) } })
        expect(await objectsOf(api, attempt)).toMatchObject({ job: undefined })
        const warned = await launch(api, attempt, { modelSecretHosts: 'warn' })
        expect(warned).toEqual({ objectUid: expect.any(String), warning: expect.stringMatching(words) })
        expect(JSON.stringify([refused, warned])).not.toMatch(/sk-secret|pw-secret/)
      },
    )

    test.for(Object.entries(sendingIt))('goes where its list says: %s', async ([, changes], { api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace(), changes)
      await makeSecret(api, attempt.tenant, 'model.example evil.example')

      expect(await launch(api, attempt, { modelSecretHosts: 'require' })).toEqual({ objectUid: expect.any(String) })
    })

    // Else it could be named before it is there, and whatever list it then has would come too late.
    test('is waited for before anything is made that would mount it', async ({ api, makeNamespace }) => {
      const attempt = attemptIn(await makeNamespace(), sendingIt['git'])

      expect(await launch(api, attempt, { modelSecretHosts: 'require' })).toEqual({
        obstacle: {
          failureClass: 'missing_secret',
          message: expect.stringMatching(/^The Secret keys of test_data_ref does not exist in namespace test-/),
        },
      })
      expect(await objectsOf(api, attempt)).toMatchObject({ job: undefined })
    })
  })
}
