import type { RequestListener, ServerResponse } from 'node:http'
import { describe, expect } from 'vitest'
import { endless, test, type Pod } from './test-init.ts'

const pageSize = 2

const xml = (response: ServerResponse, status: number, body: string) =>
  response.writeHead(status, { 'content-type': 'application/xml' }).end(`<?xml version="1.0" encoding="UTF-8"?>${body}`)

const failure = (response: ServerResponse, status: number, code: string) =>
  xml(response, status, `<Error><Code>${code}</Code><Message>the key AKIDEXAMPLE is no good</Message></Error>`)

/** A bucket `data` as S3 has it: keys in order of bytes, pages of two, path style. */
function bucket(objects: Record<string, string>, asked: string[] = []): RequestListener {
  const keys = Object.keys(objects).sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  return (request, response) => {
    const url = new URL(request.url ?? '', 'http://x')
    const [, name, ...path] = url.pathname.split('/').map(decodeURIComponent)
    asked.push(`${request.method} ${url.pathname}`)
    const signed = /Credential=([^/]+)\/\d+\/([^/]+)\/s3/.exec(request.headers.authorization ?? '')
    if (signed?.[1] !== 'AKIDEXAMPLE') return failure(response, 403, 'InvalidAccessKeyId')
    if (name !== 'data') return failure(response, 404, 'NoSuchBucket')
    if (url.searchParams.get('list-type') === '2') return list(keys, objects, url.searchParams, response)
    const content = objects[path.join('/')]
    if (content === undefined) return failure(response, 404, 'NoSuchKey')
    response.end(content)
  }
}

function list(keys: string[], objects: Record<string, string>, query: URLSearchParams, response: ServerResponse) {
  const after = query.get('continuation-token') ?? ''
  const matching = keys.filter((key) => key.startsWith(query.get('prefix') ?? '') && (after === '' || key > after))
  const page = matching.slice(0, Math.min(pageSize, Number(query.get('max-keys') ?? pageSize)))
  const isTruncated = page.length < matching.length
  const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
  const contents = page.map((key) => `<Contents><Key>${key}</Key><Size>${objects[key]?.length}</Size></Contents>`).join('')
  xml(response, 200, `<ListBucketResult><Name>data</Name><IsTruncated>${isTruncated}</IsTruncated>${next}${contents}</ListBucketResult>`)
}

async function serveBucket(pod: Pod, listener: RequestListener, secret: Record<string, string> = {}) {
  const endpoint = await pod.serve(listener)
  await pod.secret({ AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'very secret', AWS_S3_ENDPOINT: `${endpoint}\n`, ...secret })
  return (key: string, env: Record<string, string> = {}) => pod.fetchData({ TEST_DATA_S3_BUCKET: 'data', TEST_DATA_S3_KEY: key, ...env })
}

describe('downloadS3', () => {
  test.for([200, 400])('a list without end, with status %i, is left', async (status, { pod }) => {
    let sent = 0
    const fetchKey = await serveBucket(pod, (request, response) => {
      response.writeHead(status, { 'content-type': 'application/xml' })
      const { write } = response
      response.write = (chunk: Buffer) => {
        sent += chunk.length
        return write.call(response, chunk, 'utf8')
      }
      endless(request, response)
    })

    expect(await fetchKey('data/')).toContain('the server answers more than 16777216 bytes to a question; check the endpoint')
    expect(sent).toBeLessThan(64 * 1024 * 1024)
  })

  test.for<[string, Record<string, string>]>([
    ['data/a', { a: 'the object', 'b.csv': 'b', 'deep/c.csv': 'c', 'deep/d.csv': 'd' }],
    ['/data/a', { a: 'the object', 'b.csv': 'b', 'deep/c.csv': 'c', 'deep/d.csv': 'd' }],
    ['data/a/', { 'b.csv': 'b', 'deep/c.csv': 'c', 'deep/d.csv': 'd' }],
    ['data/a/b.csv', { 'b.csv': 'b' }],
    ['data/a/deep', { 'c.csv': 'c', 'd.csv': 'd' }],
    ['data/abc', { abc: 'another' }],
  ])('key %s is %j: an object, and what lies below it, over several pages', async ([key, files], { pod }) => {
    const objects = {
      'data/a': 'the object',
      'data/a-b': 'no',
      'data/a/': '',
      'data/a/b.csv': 'b',
      'data/a/deep/c.csv': 'c',
      'data/a/deep/d.csv': 'd',
    }
    const fetchKey = await serveBucket(pod, bucket({ ...objects, 'data/abc': 'another' }))

    expect(await fetchKey(key)).toContain(`s3 data/${key.replace(/^\//, '')}: ${Object.keys(files).length} files`)
    expect(await pod.files()).toEqual(files)
  })

  test.for(['data/ab', 'other', 'data/a/deep/c'])('key %s, at which nothing is, is refused', async (key, { pod }) => {
    const fetchKey = await serveBucket(pod, bucket({ 'data/abc': 'x', 'data/a/deep/c.csv': 'c' }))

    expect(await fetchKey(key)).toContain('nothing is there')
    expect(await pod.files()).toEqual({})
  })

  test.for(['data/../../../etc/cron', 'data//etc/passwd', 'data/./x', 'data/.evalhub-incomplete/x'])(
    'an object %s is refused: nothing is written outside the target',
    async (key, { pod }) => {
      const fetchKey = await serveBucket(pod, bucket({ 'data/ok': 'ok', [key]: 'hostile' }))

      expect(await fetchKey('data')).toContain('cannot be the path of a file here')
      expect(await pod.files()).toEqual({})
    },
  )

  test('many objects are fetched, eight at once', async ({ pod }) => {
    const listener = bucket(Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`data/${at}`, `${at}`])))
    const waiting: (() => void)[] = []
    const fetchKey = await serveBucket(pod, (request, response) => {
      if (request.url?.includes('list-type')) return listener(request, response)
      waiting.push(() => listener(request, response))
      // None is answered before eight have been asked for.
      if (waiting.length === 8) for (const answer of waiting.splice(0)) answer()
    })

    expect(await fetchKey('data')).toContain('40 files, 70 bytes')
  })

  test('an object that is cut is fetched again, and is never half', async ({ pod }) => {
    const content = 'x'.repeat(3_000_000)
    const listener = bucket({ 'data/a': content })
    let cuts = 1
    const fetchKey = await serveBucket(pod, (request, response) => {
      if (request.url?.includes('list-type') || cuts-- <= 0) return listener(request, response)
      response.writeHead(200, { 'content-length': content.length, connection: 'close' }).end(content.slice(1_000_000))
    })
    const limits = { TEST_DATA_MAX_BYTES: `${content.length}`, TEST_DATA_MAX_FILES: '1' }

    expect(await fetchKey('data/a', limits)).toContain('1 files, 3000000 bytes')

    cuts = 100
    expect(await fetchKey('data/a')).toMatch(/aborted/)
    expect(await pod.files()).toEqual({ a: content })
  })

  test('a container that is started again replaces what the first one left', async ({ pod }) => {
    const objects: Record<string, string> = { 'data/a': '1', 'data/deep/b': '1' }
    const fetchKey = await serveBucket(pod, bucket(objects))
    await fetchKey('data')
    objects['data/a'] = '2'
    objects['data/deep/b'] = '2'

    expect(await fetchKey('data')).toContain('2 files')
    expect(await pod.files()).toEqual({ a: '2', 'deep/b': '2' })
  })

  test('limits of files and bytes hold', async ({ pod }) => {
    const fetchKey = await serveBucket(pod, bucket({ 'data/a': 'aaa', 'data/b': 'bbb' }))

    expect(await fetchKey('data', { TEST_DATA_MAX_BYTES: '5' })).toContain('more than 5 bytes')
    expect(await fetchKey('data', { TEST_DATA_MAX_FILES: '1' })).toContain('more than 1 files')
    expect(await fetchKey('data', { TEST_DATA_MAX_FILES: '2', TEST_DATA_MAX_BYTES: '6' })).toContain('2 files, 6 bytes')
  })

  test('what the server refuses is said with what to do, without keys', async ({ pod }) => {
    const fetchKey = await serveBucket(pod, bucket({}), { AWS_ACCESS_KEY_ID: 'AKIDWRONG' })

    expect(await fetchKey('a')).toBe('s3 data/a: S3 answered InvalidAccessKeyId (403); check AWS_ACCESS_KEY_ID in the Secret')
    await pod.secret({ AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE' })
    expect(await fetchKey('a', { TEST_DATA_S3_BUCKET: 'none' })).toContain('NoSuchBucket (404); name a bucket that exists')
  })

  test.for([
    [{ AWS_ACCESS_KEY_ID: '' }, 'the Secret must have the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'],
    [{ AWS_S3_ENDPOINT: 'minio:9000' }, 'AWS_S3_ENDPOINT in the Secret must begin with https:// or http://'],
    [{ AWS_S3_ENDPOINT: 'http://169.254.169.254/' }, '169.254.169.254 is an address that must not be reached'],
    [{ AWS_S3_ENDPOINT: 'http://127.0.0.2:1' }, '127.0.0.2 is an address that must not be reached'],
  ] as const)('a Secret with %j is refused', async ([secret, words], { pod }) => {
    const fetchKey = await serveBucket(pod, bucket({}), secret)

    expect(await fetchKey('a')).toContain(words)
  })

  test('the region is signed as the Secret has it, or us-east-1', async ({ pod }) => {
    const regions: string[] = []
    const listener = bucket({ 'data/a': 'a' })
    const fetchKey = await serveBucket(pod, (request, response) => {
      regions.push(/Credential=[^/]+\/\d+\/([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '')
      listener(request, response)
    })
    await fetchKey('data/a')
    await pod.secret({ AWS_DEFAULT_REGION: 'eu-central-1' })
    await fetchKey('data/a')

    expect(new Set(regions)).toEqual(new Set(['us-east-1', 'eu-central-1']))
  })
})
