import type { RequestListener } from 'node:http'
import { gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { endless, noted, test, type Pod } from './test-init.ts'

const sha = 'a'.repeat(39) + '1'

type Hub = { asked: string[]; files: Record<string, string>; token?: string; elsewhere?: string }

/** A hub of datasets: one of them, `org/set`, whose branches all point to one commit; the list comes file by file. */
function hub({ asked, files, token, elsewhere }: Hub): RequestListener {
  return (request, response) => {
    noted(asked, request)
    const url = new URL(request.url ?? '', `http://${request.headers.host}`)
    const path = decodeURIComponent(url.pathname)
    const json = (body: object, headers = {}) => response.writeHead(200, headers).end(JSON.stringify(body))
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) return response.writeHead(401).end()
    if (/^\/api\/datasets\/org\/set\/revision\/(main|refs\/pr\/1)$/.test(path)) return json({ sha })
    const below = new RegExp(`^/api/datasets/org/set/tree/${sha}(?:/(.*))?$`).exec(path)
    if (below) {
      const names = Object.keys(files).filter((name) => below[1] === undefined || name.startsWith(`${below[1]}/`) || name === below[1])
      const at = Number(url.searchParams.get('cursor') ?? 0)
      url.searchParams.set('cursor', `${at + 1}`)
      const link = at + 1 < names.length ? { link: `<${url.href}>; rel="next"` } : {}
      return json(
        [
          { type: 'directory', path: 'deep' },
          { type: 'file', path: names[at] ?? 'none', size: 1 },
        ].slice(names.length === 0 ? 2 : 0),
        link,
      )
    }
    const name = path.replace(`/datasets/org/set/resolve/${sha}/`, '')
    if (files[name] === undefined) return response.writeHead(404).end()
    if (elsewhere !== undefined) return response.writeHead(302, { location: `${elsewhere}/${name}` }).end()
    response.end(files[name])
  }
}

async function serveHub(pod: Pod, options: Partial<Hub> = {}) {
  const asked: string[] = []
  const endpoint = await pod.serve(hub({ asked, files: { 'README.md': '#', 'deep/a b.csv': 'a', 'deep/deeper/c.csv': 'c' }, ...options }))
  const fetchRepo = (env: Record<string, string> = {}) =>
    pod.fetchData({ TEST_DATA_HF_REPO_ID: 'org/set', TEST_DATA_HF_ENDPOINT: `${endpoint}/`, ...env })
  return { asked, fetchRepo }
}

describe('downloadHf', () => {
  test('fetches all pages of main by its commit, which is recorded', async ({ pod }) => {
    const { asked, fetchRepo } = await serveHub(pod)

    expect(await fetchRepo()).toBe(`hf org/set at main: 3 files, 3 bytes, commit ${sha}`)
    expect(await pod.files()).toEqual({ 'README.md': '#', 'deep/a b.csv': 'a', 'deep/deeper/c.csv': 'c' })
    expect(await pod.commit()).toBe(`${sha}\n`)
    expect(asked[0]).toBe('GET /api/datasets/org/set/revision/main')
    expect(asked.slice(1).every((line) => line.includes(sha))).toBe(true)
  })

  test('takes a revision with slashes, and only what is below sub_path', async ({ pod }) => {
    const { asked, fetchRepo } = await serveHub(pod)

    expect(await fetchRepo({ TEST_DATA_HF_REVISION: 'refs/pr/1', TEST_DATA_HF_SUBPATH: '/deep/' })).toContain('2 files')
    expect(await pod.files()).toEqual({ 'a b.csv': 'a', 'deeper/c.csv': 'c' })
    expect(asked[0]).toBe('GET /api/datasets/org/set/revision/refs%2Fpr%2F1')
  })

  test('gives the token to the endpoint, and not to where a download is redirected', async ({ pod }) => {
    const elsewhereAsked: string[] = []
    const elsewhere = await pod.serve((request, response) => {
      noted(elsewhereAsked, request)
      response.end('from elsewhere')
    })
    await pod.secret({ 'hf-token': 'hf_secret\n' })
    const { asked, fetchRepo } = await serveHub(pod, { token: 'hf_secret', elsewhere, files: { a: 'a' } })

    expect(await fetchRepo()).toContain('1 files, 14 bytes')
    expect(asked.every((line) => line.endsWith('Bearer hf_secret'))).toBe(true)
    expect(elsewhereAsked).toEqual(['GET /a'])
  })

  test.for<[Record<string, string>, string]>([
    [{ TEST_DATA_HF_REPO_ID: 'org/none' }, 'answered 404; check repo_id and revision, or name a Secret'],
    [{ TEST_DATA_HF_REVISION: 'v9' }, 'answered 404; check repo_id and revision'],
    [{ TEST_DATA_HF_SUBPATH: 'nowhere' }, 'no file is there; check sub_path'],
    [{ TEST_DATA_HF_SUBPATH: 'README.md' }, 'sub_path README.md is no directory'],
    [{ TEST_DATA_HF_SUBPATH: '../..' }, 'cannot be the path of a file here'],
    [{ TEST_DATA_HF_REPO_ID: '../../api/whoami' }, 'cannot be the path of a file here'],
    [{ TEST_DATA_ALLOWED_RANGES: '' }, '127.0.0.1 is an address that must not be reached'],
    [{ TEST_DATA_HF_ENDPOINT: 'http://169.254.169.254' }, '169.254.169.254 is an address that must not be reached'],
  ])('with %j says %j', async ([env, words], { pod }) => {
    const { fetchRepo } = await serveHub(pod)

    expect(await fetchRepo(env)).toContain(words)
    expect(await pod.files()).toEqual({})
  })

  test('says what to do about a dataset that is not public', async ({ pod }) => {
    const { fetchRepo } = await serveHub(pod, { token: 'hf_secret' })

    expect(await fetchRepo()).toContain('answered 401; name a Secret with the key hf-token')
    await pod.secret({ 'hf-token': 'hf_wrong' })
    expect(await fetchRepo()).toContain('answered 401; check hf-token in the Secret')
  })

  test.for(['../../outside', '/etc/passwd', 'a/../../b'])('a file %s of a hostile hub is refused', async (name, { pod }) => {
    const { fetchRepo } = await serveHub(pod, { files: { ok: 'ok', [name]: 'hostile' } })

    expect(await fetchRepo()).toContain('cannot be the path of a file here')
    expect(await pod.files()).toEqual({})
  })

  test.for([
    ['http://localhost', 'http://127.0.0.1'],
    ['http://127.0.0.1', 'http://localhost'],
  ] as const)('a redirect to EvalHub itself, as %s where it is known as %s, is refused', async ([said, known], { pod }) => {
    const asked: string[] = []
    const { port } = new URL(await pod.serve((request, response) => response.end(noted(asked, request).toString())))
    const { fetchRepo } = await serveHub(pod, { elsewhere: `${said}:${port}` })

    expect(await fetchRepo({ TEST_DATA_HUB_URLS: `${known}:${port}` })).toContain('is an address that must not be reached from here')
    expect(asked).toEqual([])
  })

  test('a busy server is asked again, a few times', async ({ pod }) => {
    const asked: string[] = []
    const listener = hub({ asked, files: { a: 'a' } })
    let refusals = 2
    const endpoint = await pod.serve((request, response) => (refusals-- > 0 ? response.writeHead(503).end() : listener(request, response)))
    const env = { TEST_DATA_HF_REPO_ID: 'org/set', TEST_DATA_HF_ENDPOINT: endpoint }

    expect(await pod.fetchData(env)).toContain('1 files')

    refusals = 100
    expect(await pod.fetchData(env)).toContain('answered 503; try again')
  })

  test('what a server says to be compressed stays so: nothing is unpacked', async ({ pod }) => {
    const packed = gzipSync(Buffer.alloc(10_000_000))
    const listener = hub({ asked: [], files: { 'zeros.bin': '-' } })
    const endpoint = await pod.serve((request, response) =>
      request.url?.includes('/resolve/')
        ? response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed)
        : listener(request, response),
    )

    expect(await pod.fetchData({ TEST_DATA_HF_REPO_ID: 'org/set', TEST_DATA_HF_ENDPOINT: endpoint })).toContain(
      `1 files, ${packed.length} bytes`,
    )
  })

  test('a list without end is left', async ({ pod }) => {
    const endpoint = await pod.serve(endless)
    const env = { TEST_DATA_HF_REPO_ID: 'org/set', TEST_DATA_HF_ENDPOINT: endpoint }

    expect(await pod.fetchData(env)).toContain('the server answers more than 16777216 bytes to a question')
  })

  test('what is no hub is said to be none', async ({ pod }) => {
    const endpoint = await pod.serve((_, response) => response.end('<html>'))

    expect(await pod.fetchData({ TEST_DATA_HF_REPO_ID: 'org/set', TEST_DATA_HF_ENDPOINT: endpoint })).toContain(
      'does not answer as a dataset hub',
    )
  })
})
