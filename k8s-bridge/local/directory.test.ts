import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeRunDirectory, openLog, placeBelow, removeFiles } from './directory.ts'

const place = { evaluationId: 'job', benchmarkIndex: 2, providerId: 'provider', benchmarkId: 'benchmark' }

describe('placeBelow', () => {
  test('is job, index, provider and benchmark, and a directory for each part of an id', () => {
    expect(placeBelow({ ...place, benchmarkId: 'inspect/arc/easy' })).toEqual(['job', '2', 'provider', 'inspect', 'arc', 'easy'])
  })

  test.each(['..', '.', '', '/etc', 'a/../../../b', 'a//b', 'a/', 'nul\0', 'x'.repeat(256), 'ä'.repeat(128), 'long/'.repeat(300)])(
    'refuses the id %j, of a benchmark and of a provider',
    (id) => {
      expect(placeBelow({ ...place, benchmarkId: id })).toBeUndefined()
      expect(placeBelow({ ...place, providerId: id })).toBeUndefined()
    },
  )
})

let root = ''
let base = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'evalhub-directory-'))
  base = join(root, 'jobs')
})
afterEach(() => rm(root, { recursive: true }))

const segments = ['job', '2', 'provider', 'benchmark']
const directory = () => join(base, ...segments)

async function make() {
  const { jobSpecPath, output, log } = await makeRunDirectory(base, segments, '{}')
  await Promise.all([output.close(), log.close()])
  return jobSpecPath
}

describe('makeRunDirectory', () => {
  test('lays out job.json and log as adapters expect them, for the owner only', async () => {
    expect(await make()).toBe(join(directory(), 'meta', 'job.json'))

    expect(await readFile(join(directory(), 'meta', 'job.json'), 'utf8')).toBe('{}')
    expect((await stat(join(directory(), 'meta', 'job.json'))).mode & 0o777).toBe(0o600)
    expect((await stat(directory())).mode & 0o027).toBe(0)
    expect((await stat(join(directory(), 'jobrun.log'))).size).toBe(0)
  })

  test('removes what an earlier attempt left', async () => {
    await make()
    await writeFile(join(directory(), 'jobrun.log'), 'old')
    await writeFile(join(directory(), 'result'), 'old')

    await make()

    expect(await readdir(directory())).toEqual(['jobrun.log', 'meta'])
    expect((await stat(join(directory(), 'jobrun.log'))).size).toBe(0)
  })

  // Guarantee: no benchmark of a job fails because another one starts, or is taken back, at the same moment.
  test.each([2, 8, 32])('%i runs of a job that start at once, while others are taken back, all have their files', async (count) => {
    const indices = Array.from({ length: count }, (_, index) => String(index))
    for (let round = 0; round < 256 / count; round++) {
      const job = `job-${round}`
      const made = indices.map((index) => makeRunDirectory(base, [job, index, 'provider', 'benchmark'], index))
      const removed = indices.map((index) => removeFiles(base, job, `gone-${index}`))
      const runs = await Promise.all(made)
      await Promise.all(removed)
      await Promise.all(runs.flatMap(({ output, log }) => [output.close(), log.close()]))
      expect(await Promise.all(runs.map(({ jobSpecPath }) => readFile(jobSpecPath, 'utf8')))).toEqual(indices)
    }
  })

  test.each([['job'], ['job', '2'], ['job', '2', 'provider']])('writes nothing through a link planted at %s/%s', async (...at) => {
    const outside = join(root, 'outside')
    await mkdir(outside)
    await mkdir(join(base, ...at.slice(0, -1)), { recursive: true })
    await symlink(outside, join(base, ...at))

    await make().catch(() => undefined)

    expect(await readdir(outside)).toEqual([])
  })
})

describe('openLog', () => {
  test('finds the log, and nothing where there is none or a link instead', async () => {
    expect(await openLog(base, segments)).toBeUndefined()
    await make()
    await writeFile(join(directory(), 'jobrun.log'), 'words')
    const file = await openLog(base, segments)
    expect(await file?.readFile('utf8')).toBe('words')
    await file?.close()

    await rm(join(directory(), 'jobrun.log'))
    await symlink('/etc/hostname', join(directory(), 'jobrun.log'))

    expect(await openLog(base, segments)).toBeUndefined()
  })

  // Guarantee: an adapter that puts something else in its log's place holds up nothing but its own log.
  test.each(['mkfifo', 'mkdir'])('is undefined, and waits for nobody, where an adapter made another thing of it (%s)', async (command) => {
    await make()
    await rm(join(directory(), 'jobrun.log'))
    await promisify(execFile)(command, [join(directory(), 'jobrun.log')])

    expect(await openLog(base, segments)).toBeUndefined()
  })
})

describe('removeFiles', () => {
  test('removes a run and leaves its neighbours; the last one takes the job with it', async () => {
    await make()
    await mkdir(join(base, 'job', '3'))

    await removeFiles(base, 'job', '2')
    expect(await readdir(join(base, 'job'))).toEqual(['3'])
    await removeFiles(base, 'job', '3')
    expect(await readdir(base)).toEqual([])
  })

  test('removes a job whole, and is content with one that is not there', async () => {
    await make()

    await removeFiles(base, 'job')
    await removeFiles(base, 'job')
    await removeFiles(base, 'job', '2')

    expect(await readdir(base)).toEqual([])
  })

  test.each([['job', '2', 'provider', 'benchmark', 'link'], ['job', '2'], ['job']])(
    'leaves alone what a planted link points to (%s %s %s %s %s)',
    async (...at) => {
      const outside = join(root, 'outside')
      await mkdir(join(outside, '2'), { recursive: true })
      await writeFile(join(outside, '2', 'precious'), '')
      await mkdir(join(base, ...at.slice(0, -1)), { recursive: true })
      await symlink(outside, join(base, ...at))

      await removeFiles(base, 'job', '2')
      await removeFiles(base, 'job')

      expect(await readdir(base)).toEqual([])
      expect(await readdir(join(outside, '2'))).toEqual(['precious'])
    },
  )
})
