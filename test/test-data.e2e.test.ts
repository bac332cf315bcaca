import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createClient, type EvaluationJob } from '#sdk/index.ts'
import { startHubProcess, type HubProcess } from './hub-process.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

/** A job on one machine gets its test data as on a cluster, by the same program. */

const ROW = JSON.stringify({ question: 'the question of the bucket', answer: 'a' })
const COMMIT = '0123456789abcdef0123456789abcdef01234567'

let folder: string
let hub: HubProcess
const servers: Server[] = []
/** What the model was sent. */
let sent: string[] = []

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** One object in the bucket `data`, for one key. */
const bucket: RequestListener = ({ url = '', headers }, response) => {
  if (!headers.authorization?.includes('Credential=AKIDEXAMPLE/'))
    return response.writeHead(403).end('<Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>')
  const isBelow = new URL(url, 'http://s3').searchParams.get('prefix')?.endsWith('/')
  const contents = isBelow ? '' : `<Contents><Key>rows.jsonl</Key><Size>${ROW.length}</Size></Contents>`
  const list = `<ListBucketResult><Name>data</Name><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`
  return url.includes('list-type=2') ? response.writeHead(200, { 'content-type': 'application/xml' }).end(list) : response.end(ROW)
}

const huggingFace: RequestListener = ({ url = '' }, response) => {
  if (url.includes('/revision/')) return response.end(JSON.stringify({ sha: COMMIT }))
  if (url.includes('/tree/')) return response.end(JSON.stringify([{ type: 'file', path: 'rows.jsonl', size: ROW.length }]))
  return response.end(ROW)
}

let modelUrl = ''
beforeAll(async () => {
  folder = await makeFolder()
  const s3 = await serve(bucket)
  modelUrl = await serve((request, response) => {
    let body = ''
    request.on('data', (part) => (body += part))
    request.on('end', () => {
      sent.push(body)
      response.end(JSON.stringify({ choices: [{ message: { content: 'a' }, finish_reason: 'stop' }] }))
    })
  })
  for (const [name, id] of [
    ['store', 'AKIDEXAMPLE'],
    ['wrong', 'AKIDWRONG'],
  ] as const) {
    const secret = join(folder, 'data', 'secrets', name)
    await mkdir(secret, { recursive: true })
    const keys = { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: 'very secret', AWS_S3_ENDPOINT: s3 }
    for (const [key, value] of Object.entries(keys)) await writeFile(join(secret, key), `${value}\n`)
  }
  const env = { HF_ENDPOINT: await serve(huggingFace) }
  hub = await startHubProcess({ dataDir: join(folder, 'data'), args: ['--test-data-ranges', '127.0.0.1/32'], env })
})
beforeEach(() => {
  sent = []
})
afterAll(async () => {
  await hub.stop()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await removeFolder(folder)
})

async function evaluate(test_data_ref: object, { url } = hub): Promise<EvaluationJob> {
  const { evaluations } = createClient({ baseUrl: url })
  const { resource } = await evaluations.submit({
    name: 'data',
    model: { url: `${modelUrl}/v1`, name: 'm' },
    benchmarks: [{ provider_id: 'builtin', id: 'generation', test_data_ref }],
  } as Parameters<typeof evaluations.submit>[0])
  return evaluations.wait(resource.id, { timeoutMs: 60_000 })
}

const s3 = (secret_ref: string) => ({ s3: { bucket: 'data', key: 'rows.jsonl', secret_ref } })
const messageOf = ({ status }: EvaluationJob) => status.benchmarks[0]?.error_message?.message ?? ''
const filesOf = async ({ resource }: EvaluationJob) =>
  (await readdir(join(folder, 'data', 'jobs', resource.id), { recursive: true })).filter((name) => name.includes('rows.jsonl'))

describe('test_data_ref on one machine', () => {
  test('fetches from S3 with the keys of its own secret, and leaves the data nowhere once the run is over', async () => {
    const job = await evaluate(s3('store'))
    expect([job.status.state, messageOf(job)]).toEqual(['completed', ''])
    expect(sent).toEqual([expect.stringContaining('the question of the bucket')])
    const logs = await createClient({ baseUrl: hub.url }).evaluations.logs(job.resource.id)
    expect(logs).toMatch(/s3 data\/rows\.jsonl: 1 files, \d+ bytes/)
    expect(logs).not.toContain('very secret')
    await expect.poll(() => filesOf(job), { timeout: 10_000 }).toEqual([])
  })

  test('fetches from Hugging Face, and the job says which commit was used', async () => {
    const job = await evaluate({ hf: { repo_id: 'somebody/rows' } })
    expect([job.status.state, messageOf(job)]).toEqual(['completed', ''])
    expect(sent).toEqual([expect.stringContaining('the question of the bucket')])
    expect(JSON.stringify(job)).toContain(`"resolved_sha":"${COMMIT}"`)
  })

  test.each([
    [
      'the keys are wrong',
      s3('wrong'),
      /The test data could not be fetched: .*exit code 1.*test data: s3 data\/rows\.jsonl: .*InvalidAccessKeyId/s,
    ],
    [
      'there is no such secret',
      s3('none'),
      /test_data_ref\.s3\.secret_ref names no folder: \S+\/data\/secrets\/none is not there\. It must be a folder .*AWS_ACCESS_KEY_ID/,
    ],
    ['the secret may not be named', s3('/etc/ssl'), /test_data_ref\.s3\.secret_ref names no folder that it may: \/etc\/ssl/],
    [
      'the data are a volume of a cluster',
      { pvc: { claim_name: 'claim' } },
      /test_data_ref\.pvc names the volume claim of a cluster, and this hub runs on one machine/,
    ],
  ])('fails in words, before the adapter starts, if %s', async (_, reference, words) => {
    const job = await evaluate(reference)
    expect(messageOf(job)).toMatch(words)
    expect(job.status.state).toBe('failed')
    expect(sent).toEqual([])
    expect(await readFile(join(folder, 'data', 'secrets', 'store', 'AWS_SECRET_ACCESS_KEY'), 'utf8')).toContain('very secret')
  })

  // Guarantee: what anybody submits makes the hub ask no service of this machine that its owner has not opened.
  test('reaches no address of the machine itself unless the owner says so', async () => {
    await hub.stop()
    hub = await startHubProcess({ dataDir: join(folder, 'data') })
    expect(messageOf(await evaluate(s3('store')))).toMatch(/127\.0\.0\.1 is an address that must not be reached from here/)
    expect(sent).toEqual([])
  })
})
