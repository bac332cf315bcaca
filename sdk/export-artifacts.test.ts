import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, vi } from 'vitest'
import { JobSpec } from '#shared/models/job-spec.ts'
import { registryIsMissing, startRegistry } from '#sidecar/test-registry.ts'
import { hubOf, RUN, test as base } from '#sidecar/test-sidecar.ts'
import { AdapterFailure, type Adapter } from './adapter.ts'
import { readAdapterSettings, type AdapterSettings } from './config.ts'
import { exportArtifacts } from './export-artifacts.ts'
import { runAdapter } from './run-adapter.ts'
import { digestOf, startStrictRegistry, type Refusal } from './test-oci-registry.ts'

const REPOSITORY = 'team/results'
const SAMPLES = Buffer.concat([randomBytes(1_500_000), Buffer.alloc(1_500_001, 'x')])
const TAG = `evalhub-${digestOf('job-1:frame:first:0').replace('sha256:', '')}`

const adapter: Adapter = {
  id: 'frame',
  async run(_, host) {
    const [samples, summary] = [join(host.workdir, 'samples.jsonl'), join(host.workdir, 'out', `${'ä'.repeat(80)}.json`)]
    await mkdir(join(host.workdir, 'out'), { recursive: true })
    await writeFile(samples, SAMPLES)
    await writeFile(summary, '{}')
    await host.artifact('samples', samples)
    await host.artifact('summary', summary)
    return { metrics: { acc: 0.5 } }
  },
}

/** `run(callbackUrl, coordinates?, settings?)`: `adapter` in a pod whose sidecar is there, and its last event. */
const test = base.extend(
  'run',
  async ({ folder }) =>
    async (
      callbackUrl: string,
      coordinates?: object,
      { adapter: own = adapter, ...changes }: Partial<AdapterSettings> & { adapter?: Adapter } = {},
    ) => {
      const jobSpecPath = join(folder, 'meta', 'job.json')
      await mkdir(join(folder, 'meta'), { recursive: true })
      const { evaluationId: id, providerId: provider_id, benchmarkId: benchmark_id, benchmarkIndex: benchmark_index } = RUN
      const exports = coordinates && { exports: { oci: { coordinates } } }
      const spec = {
        id,
        provider_id,
        benchmark_id,
        benchmark_index,
        model: { url: 'http://m', name: 'm' },
        parameters: {},
        callback_url: callbackUrl,
      }
      await writeFile(jobSpecPath, JSON.stringify({ ...spec, ...exports }))
      const settings = {
        ...readAdapterSettings({ EVALHUB_JOB_SPEC_PATH: jobSpecPath }),
        mode: 'k8s' as const,
        podDataDir: join(folder, 'data'),
      }
      return runAdapter(own, { ...settings, deliverySeconds: 5, exportSeconds: 5, ...changes })
    },
)

const untar = (layer: Buffer, ...options: string[]) => execFileSync('tar', ['-xzO', ...options], { input: layer, maxBuffer: 10_000_000 })

const missing = registryIsMissing()
if (missing) console.log(`The export of artifacts is not tried on a real registry: ${missing}`)

describe.skipIf(missing)('a run on a cluster, with a real registry', () => {
  test.for([undefined, { user: 'ann', password: 'secret:1' }])(
    'keeps its artifacts there, with the account %j',
    async (account, { run, start, upstream, folder, onTestFinished }) => {
      const { host, stop } = await startRegistry(folder, account)
      onTestFinished(() => void stop())
      const basic = account && `Basic ${Buffer.from(`${account.user}:${account.password}`).toString('base64')}`
      const authPath = join(folder, 'docker.json')
      if (basic) await writeFile(authPath, JSON.stringify({ auths: { [host]: { auth: basic.replace('Basic ', '') } } }))
      const hub = hubOf()
      const { url, finish } = await start({
        hub: await upstream(hub.listener),
        oci: { host: `http://${host}`, repository: REPOSITORY, authPath },
      })

      expect(await run(url.origin, { oci_host: `http://${host}`, oci_repository: REPOSITORY, annotations: { team: 'red' } })).toBe(0)
      await finish({ aloudMs: 5000, giveUpMs: 5000 })

      const { event } = hub.posts.at(-1)!
      const digest = event.artifacts.oci_digest as string
      const reference = `${host}/${REPOSITORY}:${TAG}@${digest}`
      expect(event).toMatchObject({ status: 'completed', metrics: { acc: 0.5 } })
      expect(event).not.toHaveProperty('warning_message')
      expect(event.artifacts).toEqual({
        samples: { uri: `oci://${reference}`, sha256: digestOf(SAMPLES).replace('sha256:', ''), bytes: SAMPLES.length },
        summary: { uri: `oci://${reference}`, sha256: digestOf('{}').replace('sha256:', ''), bytes: 2 },
        oci_reference: reference,
        oci_digest: digest,
      })
      const headers = { accept: 'application/vnd.oci.image.manifest.v1+json', ...(basic && { authorization: basic }) }
      const get = async (path: string) =>
        Buffer.from(await (await fetch(`http://${host}/v2/${REPOSITORY}/${path}`, { headers })).arrayBuffer())
      const manifest = await get(`manifests/${digest}`)
      expect(digestOf(manifest)).toBe(digest)
      expect(await get(`manifests/${TAG}`)).toEqual(manifest)
      const { artifactType, annotations, layers } = JSON.parse(manifest.toString())
      expect(artifactType).toBe('application/vnd.eval-hub.github.io')
      expect(annotations).toEqual({
        'io.github.eval-hub.job_id': 'job-1',
        'io.github.eval-hub.benchmark_id': 'first',
        'io.github.eval-hub.provider_id': 'frame',
        team: 'red',
      })
      const [samples, summary] = layers
      expect(samples).toMatchObject({
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        annotations: { 'olot.layer.content.name': 'samples.jsonl', 'io.github.eval-hub.artifact': 'samples' },
      })
      expect(untar(await get(`blobs/${samples.digest}`), 'samples.jsonl').equals(SAMPLES)).toBe(true)
      expect(untar(await get(`blobs/${summary.digest}`), summary.annotations['olot.layer.content.name']).toString()).toBe('{}')
      expect(await readdir(join(folder, 'data'))).toEqual(['out', 'samples.jsonl'])
    },
  )
})

describe('a registry that fails', () => {
  const coordinates = { oci_host: 'registry.example', oci_repository: REPOSITORY, oci_tag: 'v1' }
  const isUpload = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('/blobs/uploads/')
  const refusalOf = (times: number, refusal: Refusal, when: (asked: { method: string; path: string; isHalfway: boolean }) => boolean) => {
    let left = times
    return (asked: { method: string; path: string; isHalfway: boolean }) => (when(asked) && left-- > 0 ? refusal : undefined)
  }
  type Refuse = Parameters<typeof startStrictRegistry>[1]

  /** The artifacts of one file, pushed to a registry that refuses so. */
  const push = async (folder: string, refuse: Refuse, { patienceSeconds = 10, signal = new AbortController().signal } = {}) => {
    const registry = await startStrictRegistry(REPOSITORY, refuse)
    const path = join(folder, 'samples.jsonl')
    await writeFile(path, SAMPLES)
    const artifact = { uri: 'file:///x', sha256: digestOf(SAMPLES).replace('sha256:', ''), bytes: SAMPLES.length }
    const spec = JobSpec.parse({
      id: 'job', provider_id: 'p', benchmark_id: 'b', benchmark_index: 0, parameters: {}, model: { url: 'http://m', name: 'm' },
      callback_url: registry.url, exports: { oci: { coordinates } },
    }) // prettier-ignore
    const log = () => {}
    const files = [{ name: 'samples', path, artifact }]
    const pushAgain = () => exportArtifacts({ spec, coordinates, files, workdir: folder, patienceSeconds, signal, log })
    onTestFinished(registry.stop)
    return { pushed: pushAgain(), pushAgain, registry }
  }

  test.for<[string, Refuse]>([
    ['401 to an upload, as after a token ran out', refusalOf(1, { status: 401 }, isUpload)],
    ['401 before a half of it was read', refusalOf(1, { status: 401 }, (asked) => isUpload(asked) && asked.isHalfway)],
    ['429', refusalOf(2, { status: 429, headers: { 'retry-after': '0' } }, ({ method }) => method === 'POST')],
    ['500 to the manifest', refusalOf(1, { status: 500 }, ({ path }) => path.includes('/manifests/'))],
    ['a broken upload', refusalOf(1, 'hang up', (asked) => isUpload(asked) && asked.isHalfway)],
    ['no answer to the first question', refusalOf(1, 'hang up', ({ method }) => method === 'HEAD')],
    ['an upload that it has forgotten', refusalOf(1, { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' }, isUpload)],
  ])('%s is got over', async ([, refuse], { folder }) => {
    const { pushed, registry } = await push(folder, refuse)
    const { oci_digest, oci_reference } = await pushed
    const manifest = registry.manifests.get('v1') ?? ''
    expect(digestOf(manifest)).toBe(oci_digest)
    expect(oci_reference).toBe(`registry.example/${REPOSITORY}:v1@${oci_digest}`)
    const [layer] = JSON.parse(manifest).layers
    const packed = registry.blobs.get(layer.digest)!
    expect(untar(packed).equals(SAMPLES)).toBe(true)
    expect(gunzipSync(packed).length % 512).toBe(0)
  })

  test('what it has is not sent again', async ({ folder }) => {
    const { pushed, pushAgain, registry } = await push(folder, () => undefined)
    expect(await pushed).toEqual(await pushed.then(pushAgain))
    expect(registry.asked.filter(isUpload)).toHaveLength(2) // the layer and the configuration, once each
  })

  // What is final is told at once, however long one would be patient; the rest when patience is at its end.
  test.for<[Refusal, RegExp, number?]>([
    [
      { status: 401, code: 'UNAUTHORIZED' },
      /registry\.example\/team\/results: it answered 401 to POST \(UNAUTHORIZED: it is UNAUTHORIZED\)\. .*connection must name a Secret/,
    ],
    [{ status: 403 }, /answered 403 to POST\. .*connection must name a Secret/],
    [{ status: 404, code: 'NAME_UNKNOWN' }, /answered 404 .*NAME_UNKNOWN.*Check exports\.oci\.coordinates/],
    [{ status: 413 }, /its limit must be raised/],
    [{ status: 500 }, /It was given 1 s\. Submit the job again/, 1],
    ['hang up', /there was no answer \(.+\)\. It was given/, 1],
  ])('%j for good fails in words', async ([refusal, words, patienceSeconds = 60], { folder }) => {
    const { pushed } = await push(
      folder,
      refusalOf(Infinity, refusal, ({ method }) => method !== 'HEAD'),
      { patienceSeconds },
    )
    await expect(pushed).rejects.toThrow(words)
    await expect(pushed).rejects.toMatchObject({ code: 'oci_export_failed' })
  })

  test.for<[Partial<typeof coordinates>, RegExp]>([
    [
      { oci_repository: '../../api/v1/evaluations' },
      /^exports\.oci\.coordinates\.oci_repository is "\.\.\/\.\.\/api\/v1\/evaluations", but must be lower-case/,
    ],
    [{ oci_repository: 'Team/results' }, /oci_repository is "Team\/results"/],
    [{ oci_repository: 'team//results' }, /oci_repository/],
    [{ oci_repository: 'team/results?x' }, /oci_repository/],
    [{ oci_repository: 'team/a___b' }, /oci_repository/],
    [{ oci_repository: 'team/results\n' }, /oci_repository is "team\/results\\n"/],
    [{ oci_repository: 'a'.repeat(200) + '/' }, /oci_repository is "a{80}…"/],
    [{ oci_tag: '../x' }, /^exports\.oci\.coordinates\.oci_tag is "\.\.\/x", but must be 1 to 128 letters/],
    [{ oci_tag: '-v1' }, /oci_tag/],
    [{ oci_tag: 'v'.repeat(129) }, /oci_tag is "v{80}…"/],
  ])('%j is refused before the registry is asked', async ([changes, words], { folder }) => {
    const registry = await startStrictRegistry(REPOSITORY, () => undefined)
    onTestFinished(registry.stop)
    const spec = { callback_url: registry.url } as JobSpec
    const signal = new AbortController().signal
    const asked = {
      spec,
      coordinates: { ...coordinates, ...changes },
      files: [],
      workdir: folder,
      patienceSeconds: 1,
      signal,
      log: () => {},
    }
    await expect(exportArtifacts(asked)).rejects.toThrow(words)
    await expect(exportArtifacts(asked)).rejects.toMatchObject({ code: 'oci_export_failed' })
    expect(registry.asked).toEqual([])
  })

  test.for<Partial<typeof coordinates>>([
    { oci_repository: 'a' },
    { oci_repository: 'a.b_c__d---e/0/f' },
    { oci_tag: '_' },
    { oci_tag: 'V1.2-x_y' },
    { oci_tag: 'v'.repeat(128) },
    { oci_tag: '' },
  ])('%j is a place in a registry', async (changes, { folder }) => {
    const place = { ...coordinates, ...changes }
    const registry = await startStrictRegistry(place.oci_repository, () => undefined)
    onTestFinished(registry.stop)
    const spec = { callback_url: registry.url } as JobSpec
    const signal = new AbortController().signal
    const asked = { spec, coordinates: place, files: [], workdir: folder, patienceSeconds: 1, signal, log: () => {} }
    await expect(exportArtifacts(asked)).resolves.toHaveProperty('oci_digest')
  })

  test('a file that was written to after it was registered is not passed off as what it was', async ({ folder }) => {
    const path = join(folder, 'f')
    await writeFile(path, 'later')
    const files = [{ name: 'f', path, artifact: { uri: 'file:///x', sha256: digestOf('first').replace('sha256:', ''), bytes: 5 } }]
    const spec = { callback_url: 'http://127.0.0.1:1' } as JobSpec
    const signal = new AbortController().signal
    await expect(
      exportArtifacts({ spec, coordinates, files, workdir: folder, patienceSeconds: 1, signal, log: () => {} }),
    ).rejects.toMatchObject({ code: 'artifact_changed' })
  })

  test('a run that is stopped packs no more', async ({ folder }) => {
    const signal = AbortSignal.abort(new AdapterFailure('adapter_terminated', 'enough'))
    const { pushed, registry } = await push(folder, () => undefined, { signal })
    await expect(pushed).rejects.toThrow('enough')
    expect(registry.asked).toEqual([])
  })

  test('a run that is stopped waits for it no longer', async ({ folder }) => {
    const stop = new AbortController()
    const { pushed, registry } = await push(folder, () => ({ status: 500 }), { patienceSeconds: 60, signal: stop.signal })
    const stopping = vi.waitFor(() => {
      expect(registry.asked.length).toBeGreaterThan(0)
      stop.abort(new AdapterFailure('adapter_terminated', 'enough'))
    })
    await expect(pushed).rejects.toThrow('enough')
    await stopping
  })
})

describe('a run', () => {
  const coordinates = { oci_host: 'registry.example', oci_repository: REPOSITORY }
  const hubOfRun = async (upstream: (listener: ReturnType<typeof hubOf>['listener']) => Promise<{ url: URL }>) => {
    const hub = hubOf()
    const { url } = await upstream((request, response) => {
      if (request.url?.startsWith('/v2/')) response.writeHead(403).end()
      else hub.listener(request, response)
    })
    return { url, last: () => hub.posts.at(-1)!.event }
  }

  test('whose artifacts the registry refuses has failed, and its numbers are there', async ({ run, upstream }) => {
    const { url, last } = await hubOfRun(upstream)
    expect(await run(url.origin, coordinates)).toBe(1)
    expect(last()).toMatchObject({
      status: 'failed',
      phase: 'persisting_artifacts',
      metrics: { acc: 0.5 },
      error_message: { message_code: 'oci_export_failed', message_origin: 'adapter' },
    })
    expect(last()).not.toHaveProperty('artifacts')
  })

  test('that failed keeps its own reason, and says beside it that its artifacts are gone', async ({ run, upstream }) => {
    const { url, last } = await hubOfRun(upstream)
    const failing: Adapter = {
      id: 'frame',
      async run(spec, host) {
        await adapter.run(spec, host)
        throw new AdapterFailure('own', 'The reason.')
      },
    }
    await run(url.origin, coordinates, { adapter: failing })
    expect(last()).toMatchObject({
      status: 'failed',
      error_message: { message_code: 'own' },
      warning_message: { message_code: 'oci_export_failed' },
    })
  })

  test('in a pod whose job names no registry says that its artifacts are gone, and how to keep them', async ({ run, upstream }) => {
    const { url, last } = await hubOfRun(upstream)
    expect(await run(url.origin)).toBe(0)
    expect(last().artifacts).toEqual({})
    expect(last().warning_message).toMatchObject({
      message_code: 'artifacts_not_kept',
      message: 'These artifacts ended with the pod: samples, summary; name a registry in exports.oci of the job to keep them.',
    })
  })

  test('on one machine keeps them where they are, whatever registry the job names', async ({ run, upstream, folder }) => {
    const { url, last } = await hubOfRun(upstream)
    expect(await run(url.origin, coordinates, { mode: 'local' })).toBe(0)
    expect(last().artifacts.samples.uri).toBe(`file://${folder}/samples.jsonl`)
    expect(last().warning_message.message_code).toBe('artifacts_not_exported')
    expect((await readFile(join(folder, 'samples.jsonl'))).equals(SAMPLES)).toBe(true)
  })
})
