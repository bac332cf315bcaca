import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect } from 'vitest'
import { commitFiles, commitTree, gitListener, makeRepository, serveGit } from './test-repository.ts'
import { writeObject, writeTree } from './test-server.ts'
import { test, type Pod } from '../init/test-init.ts'

describe('limits', () => {
  test('what a repository sends has one, and files and bytes have', async ({ pod }) => {
    await makeRepository(pod, { 'a.txt': 'a'.repeat(5000), 'b.txt': 'b' })
    const fetchRef = await serveGit(pod)

    expect(await fetchRef('main', { TEST_DATA_MAX_BYTES: '200' })).toContain('it has more than 200 bytes')
    expect(await fetchRef('main', { TEST_DATA_MAX_FILES: '1' })).toContain('there are more than 1 files')
    expect(await fetchRef('main', { TEST_DATA_MAX_BYTES: '5000' })).toContain('more than 5000 bytes')
    expect(await pod.files()).toEqual({})
    expect(await fetchRef('main', { TEST_DATA_MAX_FILES: '2', TEST_DATA_MAX_BYTES: '5001' })).toContain('2 files')
  })

  // Guarantee: what the memory of the container has to bear does not grow with what a repository has inflated to.
  test('200 MB of zeros, less than 1 MB as they are sent, take no more memory than other data', async ({ pod }) => {
    const repository = await makeRepository(pod, { 'a.txt': 'a' })
    const peak = join(pod.directory, 'peak.mjs')
    await writeFile(peak, 'process.on("exit", () => console.log("peak", process.resourceUsage().maxRSS))')
    const fetchMain = async () => {
      const base = await pod.serve(gitListener(pod))
      const env = { TEST_DATA_GIT_URL: `${base}/data.git`, TEST_DATA_GIT_REF: 'main', NODE_OPTIONS: `--import=${peak}` }
      const { code, output } = await pod.runInit(env)
      expect(code).toBe(0)
      return { output, kilobytes: Number(/peak (\d+)/.exec(output)?.[1]) }
    }
    const before = await fetchMain()
    await writeFile(join(repository, 'zeros'), Buffer.alloc(200_000_000))
    await commitFiles(repository, {})
    const { output, kilobytes } = await fetchMain()

    expect(output).toContain('2 files, 200000001 bytes')
    expect(kilobytes - before.kilobytes).toBeLessThan(100 * 1024)
  }, 120_000)

  test('a file that is larger than the data may be is refused before it is made', async ({ pod }) => {
    await makeRepository(pod, { 'a.txt': 'a'.repeat(1_000_000) })

    expect(await (await serveGit(pod))('main', { TEST_DATA_MAX_BYTES: '999999' })).toContain(
      'it has an object of 1000000 bytes, and the data may have 999999',
    )
  })

  test('a repository that needs more memory than there is says so', async ({ pod }) => {
    await makeRepository(pod, Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`${at}.txt`, `${at}`])))
    const fetchRef = await serveGit(pod)

    expect(await fetchRef('main', {}, 4096 * 40)).toContain('it sends 52 objects, and 40 have room here')
  })

  test('directories that lie in each other again and again are refused', async ({ pod }) => {
    const repository = await makeRepository(pod, { 'a.txt': 'a' })
    let tree = await writeTree(repository, [])
    for (let level = 0; level < 8; level++) {
      const entries = Array.from({ length: 50 }, (_, at) => ({ mode: '40000', name: `${at}`, oid: tree }))
      tree = await writeTree(repository, entries)
    }
    await commitTree(repository, tree)

    expect(await (await serveGit(pod))('hostile', { TEST_DATA_MAX_FILES: '1000' })).toContain(
      'its directories have more than 4000 entries; name a smaller part of the data',
    )
    expect(await pod.files()).toEqual({})
  })

  test('a path longer than any file system takes is refused', async ({ pod }) => {
    const repository = await makeRepository(pod, { 'a.txt': 'a' })
    let tree = await writeTree(repository, [{ mode: '100644', name: 'x', oid: await writeObject(repository, 'blob', Buffer.from('x')) }])
    for (let level = 0; level < 17; level++) tree = await writeTree(repository, [{ mode: '40000', name: 'd'.repeat(250), oid: tree }])
    await commitTree(repository, tree)

    expect(await (await serveGit(pod))('hostile')).toContain('a path of more than 4096 bytes')
  })

  test('a symlink is read only if it can be a path', async ({ pod }) => {
    const repository = await makeRepository(pod, { 'a.txt': 'a' })
    const oid = await writeObject(repository, 'blob', Buffer.from(`a.txt${'/.'.repeat(5000)}`))
    await commitTree(repository, await writeTree(repository, [{ mode: '120000', name: 'link', oid }]))

    expect(await (await serveGit(pod))('hostile')).toContain('the symlink link leads out of the repository')
  })

  test('an answer that is cut leaves nothing', async ({ pod }) => {
    await makeRepository(pod, { 'a.txt': 'a'.repeat(5000), 'b.txt': Array.from({ length: 9000 }, (_, at) => (at * 7919) % 9973).join() })
    const listener = gitListener(pod)
    const base = await pod.serve((request, response) => {
      if (request.method !== 'POST') return listener(request, response)
      let written = 0
      const { write } = response
      // Half of the pack, then the connection is gone.
      response.write = (chunk: Buffer) => {
        written += chunk.length
        if (written > 4000) response.destroy()
        return write.call(response, chunk.subarray(0, 2000), 'utf8')
      }
      listener(request, response)
    })

    expect(await pod.fetchData({ TEST_DATA_GIT_URL: `${base}/data.git`, TEST_DATA_GIT_REF: 'main' })).toMatch(/aborted|ECONNRESET|hang up/)
    expect(await pod.files()).toEqual({})
  })

  test('a server that says nothing is left after the time limit', async ({ pod }) => {
    const base = await pod.serve(() => undefined)

    const line = await pod.fetchData({ TEST_DATA_GIT_URL: `${base}/data.git`, TEST_DATA_GIT_REF: 'main', TEST_DATA_TIMEOUT_SECONDS: '1' })

    expect(line).toContain('not done after 1 s')
  })
})

describe('a hostile server', () => {
  const sha = 'a'.repeat(40)
  const packet = (bytes: string | Buffer) =>
    Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), Buffer.from(bytes)])
  const announced = (...lines: string[]) => Buffer.concat([HELLO, ...lines.map(packet), Buffer.from('0000')])
  const HELLO = Buffer.concat([packet('# service=git-upload-pack\n'), Buffer.from('0000')])
  const one = announced(`${sha} refs/heads/main\0side-band-64k\n`)

  /** Answers with that, again and again where it is to be without end. */
  const fetchFrom = async (pod: Pod, { refs = one, pack = [Buffer.alloc(0)] }: { refs?: Buffer; pack?: Iterable<Buffer> }) => {
    const base = await pod.serve((request, response) => {
      if (request.method !== 'POST') return response.end(refs)
      Readable.from(pack)
        .on('error', () => {})
        .pipe(response)
    })
    return pod.fetchData({ TEST_DATA_GIT_URL: `${base}/x`, TEST_DATA_GIT_REF: 'main', TEST_DATA_MAX_BYTES: '100000000' })
  }
  function* forever(bytes: Buffer) {
    for (;;) yield bytes
  }

  test.for<[string, { refs?: Buffer; pack?: Iterable<Buffer> }, string]>([
    ['says no', { pack: [packet('ERR access\ndenied')] }, 'the server says: access denied'],
    ['says no at once', { refs: announced('ERR go away') }, 'the server says: go away'],
    ['breaks off', { pack: [packet('NAK\n'), packet('\x03out of memory')] }, 'the server says: out of memory'],
    ['sends nothing', {}, 'the server sent nothing; check ref'],
    ['sends nothing of a pack', { pack: [packet('NAK\n'), packet('\x02done\n')] }, 'the server sent nothing; check ref'],
    ['has nothing', { refs: announced(`${'0'.repeat(40)} capabilities^{}\0side-band-64k`) }, 'the repository is empty'],
    ['has other names', { refs: announced(`${'a'.repeat(64)} refs/heads/main\0side-band-64k object-format=sha256`) }, 'SHA-256'],
    ['offers no bands', { refs: announced(`${sha} refs/heads/main\0ofs-delta`) }, 'does not answer as git does'],
    ['ends in the middle', { pack: [packet('NAK\n'), Buffer.from('0040\x01PACK')] }, 'the answer ends in the middle'],
    ['sends no packets', { pack: [Buffer.from('PACK')] }, 'does not answer as git does'],
    ['sends a pack of nothing', { pack: [packet('\x01PACK\0\0\0\x02\0\0\0\0')] }, 'it has no such commit; check ref'],
    [
      'talks without end',
      { pack: forever(packet(`\x02${'x'.repeat(60_000)}`)) },
      'the server says more than 16777216 bytes beside the data',
    ],
    [
      'says nothing without end',
      { pack: forever(Buffer.alloc(60_000, '0004')) },
      'the server says more than 16777216 bytes beside the data',
    ],
    ['sends without end', { pack: forever(packet(`\x01${'x'.repeat(60_000)}`)) }, 'it has more than 100000000 bytes'],
    [
      'has branches without end',
      { refs: Buffer.concat([HELLO, Buffer.alloc(20_000_000, packet(`${sha} refs/heads/x\n`))]) },
      'the server says more than 16777216 bytes beside the data',
    ],
  ])('that %s is left', async ([, answers, words], { pod }) => {
    expect(await fetchFrom(pod, answers)).toContain(words)
    expect(await pod.files()).toEqual({})
  })
})
