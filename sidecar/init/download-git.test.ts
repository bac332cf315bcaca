import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect } from 'vitest'
import { commitFiles, commitTree, gitListener, makeRepository, serveGit } from '../git/test-repository.ts'
import { runGit, writeObject, writeTree } from '../git/test-server.ts'
import { noted, test, type Pod } from './test-init.ts'

describe('which commit', () => {
  let oids: string[] = []
  let fetchRef: Awaited<ReturnType<typeof serveGit>>
  beforeEach<{ pod: Pod }>(async ({ pod }) => {
    const repository = await makeRepository(pod, { 'a.txt': 'one' }, { 'a.txt': 'two', 'deep/b.txt': 'b' })
    await runGit(repository, 'tag', '-a', '-m', 'release', 'v1', 'HEAD~1')
    await runGit(repository, 'tag', 'both', 'HEAD~1')
    await runGit(repository, 'branch', 'both')
    await runGit(repository, 'branch', 'feature/x', 'HEAD~1')
    await commitFiles(repository, { 'a.txt': 'three' })
    oids = (await runGit(repository, 'rev-list', '--reverse', 'main')).split('\n')
    fetchRef = await serveGit(pod)
  })

  test('a branch, and its commit is recorded', async ({ pod }) => {
    expect(await fetchRef('main')).toContain(`2 files, 6 bytes, commit ${oids[2]}`)
    expect(await pod.files()).toEqual({ 'a.txt': 'three', 'deep/b.txt': 'b' })
    expect(await pod.commit()).toBe(`${oids[2]}\n`)
  })

  test.for<[string, () => string, number]>([
    ['a branch with a slash', () => 'feature/x', 0],
    ['a tag that is an object of its own', () => 'v1', 0],
    ['a branch before a tag of the same name', () => 'both', 1],
    ['a commit that is the end of nothing', () => oids[1] ?? '', 1],
    ['a commit by its first digits, in capitals', () => (oids[0] ?? '').slice(0, 9).toUpperCase(), 0],
  ])('%s', async ([, ref, at], { pod }) => {
    expect(await fetchRef(ref())).toContain(oids[at])
    expect(await pod.commit()).toBe(`${oids[at]}\n`)
    expect((await pod.files())['a.txt']).toBe(['one', 'two'][at])
  })

  test.for([
    ['nothing', 'it has no such branch or tag'],
    ['0123456789', 'it has no such commit; check ref'],
    ['0'.repeat(39) + '1', 'it has no such commit; check ref'],
  ] as const)('%s is refused', async ([ref, words], { pod }) => {
    expect(await fetchRef(ref)).toContain(words)
    expect(await pod.files()).toEqual({})
  })
})

describe('which files', () => {
  test('those below sub_path, and no .git', async ({ pod }) => {
    await makeRepository(pod, { 'top.txt': 't', 'data/x.csv': 'x', 'data/deep/y.csv': 'y' })
    const fetchRef = await serveGit(pod)

    await fetchRef('main', { TEST_DATA_GIT_SUBPATH: './data/' })

    expect(await pod.files()).toEqual({ 'x.csv': 'x', 'deep/y.csv': 'y' })
  })

  test.for([
    ['nowhere', 'sub_path nowhere is no directory'],
    ['top.txt', 'sub_path top.txt is no directory'],
    ['../..', 'leads out of the repository'],
    ['/data', 'leads out of the repository'],
    ['data/../../data', 'leads out of the repository'],
  ] as const)('sub_path %s is refused', async ([subPath, words], { pod }) => {
    await makeRepository(pod, { 'top.txt': 't', 'data/x.csv': 'x' })
    const fetchRef = await serveGit(pod)

    expect(await fetchRef('main', { TEST_DATA_GIT_SUBPATH: subPath })).toContain(words)
    expect(await pod.files()).toEqual({})
  })

  test('a repository with submodules is refused', async ({ pod }) => {
    await makeRepository(pod, { '.gitmodules': '[submodule "x"]', 'a.txt': 'a' })
    const fetchRef = await serveGit(pod)

    expect(await fetchRef('main')).toContain('submodules')
    expect(await pod.files()).toEqual({})
  })

  test('a symlink to a file of the repository is that file, also above sub_path and through another link', async ({ pod }) => {
    const repository = await makeRepository(pod, { 'shared/x.csv': 'x', 'data/y.csv': 'y' })
    await symlink('../shared/x.csv', join(repository, 'data', 'up'))
    await symlink('./up', join(repository, 'data', 'twice'))
    await commitFiles(repository, {})
    const fetchRef = await serveGit(pod)

    await fetchRef('main', { TEST_DATA_GIT_SUBPATH: 'data' })

    expect(await pod.files()).toEqual({ twice: 'x', up: 'x', 'y.csv': 'y' })
  })

  test.for([
    ['/etc/passwd', 'leads out of the repository'],
    ['../../../etc/passwd', 'leads out of the repository'],
    ['data/../../x', 'leads out of the repository'],
    ['nothing', 'leads to no file'],
    ['data', 'leads to no file'],
    ['link', 'more than 10 others'],
  ] as const)('a symlink to %s is refused', async ([target, words], { pod }) => {
    const repository = await makeRepository(pod, { 'data/x.csv': 'x' })
    await symlink(target, join(repository, 'link'))
    await commitFiles(repository, {})
    const fetchRef = await serveGit(pod)

    expect(await fetchRef('main')).toContain(`the symlink link leads`)
    expect(await fetchRef('main')).toContain(words)
    expect(await pod.files()).toEqual({})
  })

  test.for(['..', '.git', '.GIT', 'a/../../x', '../x', 'git~1'])('a tree with an entry %j is refused', async (name, { pod }) => {
    const repository = await makeRepository(pod, { 'a.txt': 'a' })
    const oid = await writeObject(repository, 'blob', Buffer.from('hostile'))
    await commitTree(repository, await writeTree(repository, [{ mode: '100644', name, oid }]))
    const fetchRef = await serveGit(pod)

    expect(await fetchRef('hostile')).toMatch(/path is not safe|cannot be the path/)
    expect(await pod.files()).toEqual({})
  })

  test('an absolute symlink is refused, also where a file of that name lies beside it', async ({ pod }) => {
    const repository = await makeRepository(pod, { 'data/x.csv': 'x' })
    await symlink('/x.csv', join(repository, 'data', 'link'))
    await commitFiles(repository, {})
    const fetchRef = await serveGit(pod)

    expect(await fetchRef('main')).toContain('the symlink data/link leads out of the repository')
  })

  test('a tree that has two files of one name is refused', async ({ pod }) => {
    const repository = await makeRepository(pod, { 'a.txt': 'a' })
    const oid = await writeObject(repository, 'blob', Buffer.from('b'))
    const entry = { mode: '100644', name: 'b', oid }
    await commitTree(repository, await writeTree(repository, [entry, entry]))
    const fetchRef = await serveGit(pod)

    expect(await fetchRef('hostile')).toContain('b is there twice')
  })

  test('a tree that has a symlink and a directory of one name writes nowhere', async ({ pod }) => {
    const repository = await makeRepository(pod, { 'a.txt': 'a' })
    const file = await writeObject(repository, 'blob', Buffer.from('hostile'))
    const link = await writeObject(repository, 'blob', Buffer.from('a.txt'))
    const below = await writeTree(repository, [{ mode: '100644', name: 'b', oid: file }])
    const entries = [
      { mode: '100644', name: 'a.txt', oid: file },
      { mode: '120000', name: 'x', oid: link },
      { mode: '40000', name: 'x', oid: below },
    ]
    await commitTree(repository, await writeTree(repository, entries))
    const fetchRef = await serveGit(pod)

    expect(await fetchRef('hostile')).toContain('x/b is there twice, or is both a file and a directory')
    expect(await pod.files()).toEqual({})
  })
})

describe('where it connects', () => {
  test.for([
    ['http://127.0.0.1', ''],
    ['http://localhost', ''],
    ['http://[::1]', ''],
    ['http://169.254.169.254', ''],
    ['http://[::ffff:169.254.169.254]', ''],
    ['http://10.1.2.3', ''],
    ['http://192.168.0.1', '10.0.0.0/8'],
    ['http://2130706433', ''],
  ] as const)('not to %s, with %j allowed', async ([host, allowed], { pod }) => {
    const line = await pod.fetchData({
      TEST_DATA_GIT_URL: `${host}:1/data.git`,
      TEST_DATA_GIT_REF: 'main',
      TEST_DATA_ALLOWED_RANGES: allowed,
    })

    expect(line).toContain('is an address that must not be reached from here')
  })

  test('not to the Kubernetes API, though its address is public', async ({ pod }) => {
    const env = { TEST_DATA_GIT_URL: 'https://8.8.8.8/data.git', TEST_DATA_GIT_REF: 'main', KUBERNETES_SERVICE_HOST: '8.8.8.8' }

    expect(await pod.fetchData(env)).toContain('8.8.8.8 is an address that must not be reached')
  })

  test('not where a redirect leads, unless that is allowed too', async ({ pod }) => {
    const elsewhere = await pod.serve(gitListener(pod), { host: '127.0.0.2' })
    await makeRepository(pod, { 'a.txt': 'a' })
    const base = await pod.serve((request, response) => response.writeHead(301, { location: `${elsewhere}${request.url}` }).end())
    const env = { TEST_DATA_GIT_URL: `${base}/data.git`, TEST_DATA_GIT_REF: 'main' }

    expect(await pod.fetchData(env)).toContain('127.0.0.2 is an address that must not be reached')
    expect(await pod.fetchData({ ...env, TEST_DATA_ALLOWED_RANGES: '127.0.0.0/8' })).toContain('1 files')
  })

  test('after ten redirects no further', async ({ pod }) => {
    let asked = 0
    const base = await pod.serve((request, response) => response.writeHead(302, { location: `/${asked++}${request.url}` }).end())

    expect(await pod.fetchData({ TEST_DATA_GIT_URL: `${base}/x`, TEST_DATA_GIT_REF: 'main' })).toContain('redirects more than 10 times')
    expect(asked).toBe(11)
  })

  test('what is no git server is said to be none', async ({ pod }) => {
    const base = await pod.serve((_, response) => response.end('<html>Welcome</html>'))

    expect(await pod.fetchData({ TEST_DATA_GIT_URL: `${base}/x`, TEST_DATA_GIT_REF: 'main' })).toContain('does not answer as git does')
  })

  test('credentials go over https only, and are not shown', async ({ pod }) => {
    const asked: string[] = []
    const base = await pod.serve((request, response) => {
      noted(asked, request)
      response.end()
    })
    await pod.secret({ username: 'someone', password: 'correct horse' })

    const line = await pod.fetchData({ TEST_DATA_GIT_URL: `${base}/x`, TEST_DATA_GIT_REF: 'main' })

    expect(line).toContain('credentials go over https only')
    expect(asked).toEqual([])
  })

  test('half of the credentials is an error', async ({ pod }) => {
    await pod.secret({ username: 'someone' })

    const line = await pod.fetchData({ TEST_DATA_GIT_URL: 'https://git.example/x', TEST_DATA_GIT_REF: 'main' })

    expect(line).toContain('the Secret must have both keys, username and password')
  })
})
