import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { packLimitsFor } from './config.ts'
import { makeCertificate } from './test-certificate.ts'
import { answerGit, runGit } from '../git/test-server.ts'
import { noted, test, type Pod } from './test-init.ts'

const basic = `Basic ${Buffer.from('someone:correct horse').toString('base64')}`

async function setup(pod: Pod) {
  const repository = join(pod.directory, 'repositories', 'data.git')
  await mkdir(repository, { recursive: true })
  await runGit(repository, 'init', '-q', '-b', 'main')
  await writeFile(join(repository, 'a.txt'), 'a')
  await runGit(repository, 'add', '-A')
  await runGit(repository, 'commit', '-q', '-m', 'data')
  await pod.secret({ username: 'someone\n', password: 'correct horse\n' })

  const { file, ...secure } = await makeCertificate(pod.directory)
  const [asked, elsewhereAsked]: [string[], string[]] = [[], []]
  const elsewhere = await pod.serve(
    (request, response) => {
      noted(elsewhereAsked, request)
      answerGit(join(pod.directory, 'repositories'), request, response)
    },
    { secure },
  )
  const base = await pod.serve(
    (request, response) => {
      noted(asked, request)
      const { authorization, ...headers } = request.headers
      if (request.url?.startsWith('/moved/')) return response.writeHead(302, { location: `${elsewhere}${request.url.slice(6)}` }).end()
      if (request.url?.startsWith('/plain/')) return response.writeHead(302, { location: `http://127.0.0.1:1${request.url}` }).end()
      if (authorization !== basic) return response.writeHead(401).end(JSON.stringify(headers))
      answerGit(join(pod.directory, 'repositories'), request, response)
    },
    { secure },
  )
  const env = { TEST_DATA_GIT_URL: `${base}/data.git`, TEST_DATA_GIT_REF: 'main', NODE_EXTRA_CA_CERTS: file }
  return { base, env, asked, elsewhereAsked }
}

describe('the init container', () => {
  test('clones over https with credentials, says what it has and ends with 0', async ({ pod }) => {
    const { env } = await setup(pod)

    const { code, output, message } = await pod.runInit(env)

    expect(output).toMatch(/^git https:\/\/127\.0\.0\.1:\d+\/data\.git at main: 1 files, 1 bytes, commit [0-9a-f]{40}\n$/)
    expect([code, message]).toEqual([0, ''])
    expect(await pod.files()).toEqual({ 'a.txt': 'a' })
  })

  test('gives credentials to the host that they are for, and to none that it redirects to', async ({ pod }) => {
    const { base, env, asked, elsewhereAsked } = await setup(pod)

    const { code } = await pod.runInit({ ...env, TEST_DATA_GIT_URL: `${base}/moved/data.git` })

    expect(code).toBe(0)
    expect(asked).toEqual([`GET /moved/data.git/info/refs?service=git-upload-pack ${basic}`])
    expect(elsewhereAsked.length).toBe(2)
    expect(elsewhereAsked.filter((line) => line.includes('Basic'))).toEqual([])
  })

  test('takes credentials from the address too, and does not show them', async ({ pod }) => {
    const { env, base } = await setup(pod)
    await rm(join(pod.directory, 'secret'), { recursive: true })

    const { code, output } = await pod.runInit({
      ...env,
      TEST_DATA_GIT_URL: `${base.replace('//', '//someone:correct%20horse@')}/data.git`,
    })

    expect([code, output]).toEqual([0, expect.stringMatching(/^git https:\/\/127\.0\.0\.1:\d+\/data\.git at main/)])
  })

  test('goes from https to no plain http', async ({ pod }) => {
    const { base, env } = await setup(pod)

    expect((await pod.runInit({ ...env, TEST_DATA_GIT_URL: `${base}/plain/data.git` })).message).toContain('which is not secure')
  })

  test('ends with 1 and one line, which Kubernetes shows too, without secrets', async ({ pod }) => {
    const { env } = await setup(pod)
    await pod.secret({ password: 'wrong horse' })

    const { code, output, message } = await pod.runInit(env)

    expect(code).toBe(1)
    expect(message).toMatch(/^test data: git https:.* at main: the server answered 401; check the url, and the Secret[^\n]*$/)
    expect(output).toBe(`${message}\n`)
    expect(await pod.files()).toEqual({})
  })

  test('trusts nobody that it was not told to trust', async ({ pod }) => {
    const { env } = await setup(pod)

    const { code, message } = await pod.runInit({ ...env, NODE_EXTRA_CA_CERTS: '' })

    expect(code).toBe(1)
    expect(message).toContain("give the pod the authority's certificate")
  })

  test.for([
    [{}, 'TEST_DATA_GIT_URL, TEST_DATA_HF_REPO_ID, or TEST_DATA_S3_BUCKET and TEST_DATA_S3_KEY must be set'],
    [{ TEST_DATA_GIT_URL: 'https://git.example/x' }, 'TEST_DATA_GIT_REF must be set'],
    [{ TEST_DATA_GIT_URL: 'ssh://git.example/x', TEST_DATA_GIT_REF: 'x' }, 'TEST_DATA_GIT_URL must be an http or https URL'],
    [
      { TEST_DATA_MAX_FILES: 'many', TEST_DATA_ALLOWED_RANGES: '10.0.0.0/33' },
      /MAX_FILES must be a number; .*RANGES must be address ranges such as/,
    ],
  ] as const)('says what is wrong with %j', async ([env, words], { pod }) => {
    const { code, output } = await pod.runInit(env)

    expect(code).toBe(1)
    expect(output).toMatch(words)
  })
})

describe('packLimitsFor', () => {
  test.for([
    [512 * 1024 ** 2, 131_072, 44_739_242],
    [16 * 1024 ** 3, 4_194_304, 1024 ** 3],
    [Number.MAX_SAFE_INTEGER, 2 ** 41 - 1, 1024 ** 3],
    [0, 4_194_304, 1024 ** 3],
  ] as const)('%i bytes of memory bear %i objects, and hold %i bytes of one', ([memory, maxObjects, maxHeldBytes]) => {
    expect(packLimitsFor(memory)).toEqual({ maxObjects, maxHeldBytes })
  })
})
