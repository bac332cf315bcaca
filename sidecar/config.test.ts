import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { SidecarConfig } from '#shared/models/sidecar-config.ts'
import { readPort, readSidecarSettings } from './config.ts'
import { test as base } from './test-sidecar.ts'

const CONFIG: SidecarConfig = {
  base_url: 'http://localhost:9000',
  tenant: 'red',
  run_token_path: '/run-token',
  eval_hub: { base_url: 'https://hub.evalhub.svc:8443', ca_cert_path: '/hub-ca' },
}
const SPEC = { id: 'job', provider_id: 'p', benchmark_id: 'b', benchmark_index: 3 }

/** `env(config, spec)`: an environment that names files with these. */
const test = base.extend('env', async ({ folder }) => async (config: object = CONFIG, spec: object = SPEC) => {
  const env = { SIDECAR_CONFIG_PATH: join(folder, 'config.json'), JOB_SPEC_PATH: join(folder, 'job.json') }
  await writeFile(env.SIDECAR_CONFIG_PATH, JSON.stringify(config))
  await writeFile(env.JOB_SPEC_PATH, JSON.stringify(spec))
  return env
})

describe('readSidecarSettings', () => {
  test('reads what every run has, and where things are by default', async ({ env }) => {
    expect(await readSidecarSettings(await env())).toMatchObject({
      port: 9000,
      run: { evaluationId: 'job', providerId: 'p', benchmarkId: 'b', benchmarkIndex: 3 },
      tenant: 'red',
      runTokenPath: '/run-token',
      hub: { url: new URL('https://hub.evalhub.svc:8443'), caPath: '/hub-ca' },
      spoolPath: '/var/spool/evalhub',
      limits: { connectMs: 10_000, idleMs: 3_600_000 },
    })
  })

  test('reads all that a run may have', async ({ env }) => {
    const config: SidecarConfig = {
      ...CONFIG,
      eval_hub: { ...CONFIG.eval_hub, is_behind_gateway: true, other_urls: ['https://api.evalhub.svc:8443'] },
      mlflow: { tracking_uri: 'https://mlflow/base', token_path: '/mlflow-token', workspace: 'red', ca_cert_path: '/mlflow-ca' },
      oci: { ca_cert_path: '/oci-ca' },
      model: { url: 'http://vllm:8000/v1', auth_secret_mount_path: '/secret', allowed_ranges: ['10.1.0.0/16'] },
      init_container: { is_git_job: true },
    }
    expect(SidecarConfig.parse(config)).toEqual(config)
    const spec = { ...SPEC, exports: { oci: { coordinates: { oci_host: 'quay.io', oci_repository: 'org/repo' } } } }
    const environment = { ...(await env(config, spec)), OCI_AUTH_CONFIG_PATH: '/docker.json', KUBERNETES_SERVICE_HOST: '10.96.0.1' }
    expect(await readSidecarSettings(environment)).toMatchObject({
      hub: { url: new URL('https://hub.evalhub.svc:8443'), isBehindGateway: true },
      otherHubs: [{ url: new URL('https://api.evalhub.svc:8443') }],
      mlflow: { url: new URL('https://mlflow/base'), tokenPath: '/mlflow-token', workspace: 'red', caPath: '/mlflow-ca' },
      model: { url: new URL('http://vllm:8000/v1'), secretPath: '/secret', caPath: '/secret/ca_cert', allowedRanges: ['10.1.0.0/16'] },
      oci: { host: 'quay.io', repository: 'org/repo', caPath: '/oci-ca', authPath: '/docker.json' },
      commitPath: '/run/init-metadata/.git-metadata',
      apiServer: '10.96.0.1',
    })
  })

  test.for<[object, object, RegExp]>([
    [[], SPEC, /config\.json lacks an object$/],
    [{ ...CONFIG, tenant: 5 }, SPEC, /config\.json lacks tenant \(a string\)$/],
    [CONFIG, { ...SPEC, benchmark_index: '0' }, /job\.json lacks benchmark_index \(a number\)$/],
    [{ ...CONFIG, eval_hub: { base_url: 'hub:8080' } }, SPEC, /^eval_hub\.base_url must be an http or https URL, not 'hub:8080'$/],
    [{ ...CONFIG, model: { url: '' } }, SPEC, /^model\.url must be an http or https URL, not ''$/],
  ])('%j with %j is refused in words', async ([config, spec, why], { env }) => {
    await expect(readSidecarSettings(await env(config, spec))).rejects.toThrow(why)
  })
})

test.for([
  ['http://localhost:9000', 9000],
  ['https://localhost', 8080],
  [undefined, 8080],
] as const)('a sidecar at %s listens on %i', async ([base_url, port], { env }) => {
  expect(await readPort(await env({ base_url }))).toBe(port)
})
