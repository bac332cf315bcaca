import { existsSync } from 'node:fs'
import { readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { describe, expect, vi } from 'vitest'
import { cancelEvaluation, deleteEvaluation } from '#db/commands/cancel-evaluation.ts'
import { claimLaunches } from '#db/commands/claim-launches.ts'
import { specFor, storedRuns, submitSpecs } from '#db/test-evaluation.ts'
import { isAlive, keptLog, report, runBecomes, signal, test, textOf } from './test-bridge.ts'

const operator = { tenant: '', user: '', everyTenant: true }
const cancel = (db: Parameters<typeof cancelEvaluation>[0], id: string) => cancelEvaluation(db, operator, id, new Date().toISOString())

/** Writes its process id, then does what is said. */
const announced = (directory: string, then: string) => `echo $$ >> ${directory}/pid; ${then}`

describe('launching', () => {
  test('gives the adapter its job, its directory and its environment, and changes nothing that a client sees', async ({
    db,
    directory,
    start,
  }) => {
    const command = `env > ${directory}/env; pwd > ${directory}/pwd; cp "$EVALHUB_JOB_SPEC_PATH" ${directory}/spec; echo done > ${directory}/done; exec sleep 100`
    const local = { command, env: [{ Name: 'OWN', Value: 'provider' }, { Name: 'EVALHUB_MODE', Value: 'special' }] } // prettier-ignore
    const spec = specFor('', { provider_id: 'p', benchmark_id: 'suite/b', runtime: { local }, parameters: { shots: 2 }, num_examples: 5 })
    const id = await submitSpecs(db, [spec])
    const before = await storedRuns(db, id)
    await start({ environment: { PATH: process.env.PATH, SECRET: 'hidden', OWN: 'hub', KEPT: 'yes' }, hiddenVariables: ['SECRET'] })

    await textOf(`${directory}/done`)
    const jobSpecPath = join(directory, 'jobs', id, '0', 'p', 'suite', 'b', 'meta', 'job.json')
    const environment = (await readFile(`${directory}/env`, 'utf8')).split('\n')

    expect(environment).toEqual(expect.arrayContaining(['OWN=provider', 'KEPT=yes', 'EVALHUB_MODE=special', 'EVALHUB_HOME=/opt/evalhub']))
    expect(environment).toEqual(expect.arrayContaining([`EVALHUB_JOB_SPEC_PATH=${jobSpecPath}`, `EVALHUB_NODE=${process.execPath}`]))
    expect(environment.filter((line) => line.includes('SECRET'))).toEqual([])
    expect(environment).toContain(`EVALHUB_ALLOWED_PATHS=${JSON.stringify({ open: [await realpath(directory)], closed: [] })}`)
    expect(environment).toContainEqual(expect.stringMatching(new RegExp(`^EVALHUB_RUN=[^/]+/${id}/0/1$`)))
    expect(await readFile(`${directory}/pwd`, 'utf8')).toBe(`${process.cwd()}\n`)
    expect((await stat(jobSpecPath)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(`${directory}/spec`, 'utf8'))).toEqual({
      id,
      provider_id: 'p',
      benchmark_id: 'suite/b',
      benchmark_index: 0,
      model: { url: 'http://localhost/v1', name: 'toy' },
      num_examples: 5,
      parameters: { shots: 2 },
      callback_url: 'http://127.0.0.1:1',
    })
    await runBecomes(db, id, { queued: 0 })
    expect(await storedRuns(db, id)).toEqual(before.map((run) => ({ ...run, queued: 0 })))
  })

  test('happens soon after the signal, without waiting for the interval', async ({ db, directory, start }) => {
    await start({ intervalMs: 60_000 })
    await submitSpecs(db, [specFor(announced(directory, 'exec sleep 100'))])

    await signal(db)

    expect(await textOf(`${directory}/pid`)).toMatch(/^\d+/)
  })

  test('goes on after the connection for signals was lost', async ({ db, directory, start }) => {
    await start({ intervalMs: 60_000 })
    const lost = await db`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen%' and pid <> pg_backend_pid()`
    expect(lost.length).toBeGreaterThan(0)
    const isListening = async () => {
      const [row] = await db`select count(*)::int as total from pg_stat_activity
        where datname = current_database() and query ilike 'listen%' and pid <> pg_backend_pid()`
      expect(row?.total).toBeGreaterThan(0)
    }
    await vi.waitFor(isListening, { timeout: 10_000 })
    await submitSpecs(db, [specFor(announced(directory, 'exec sleep 100'))])

    await signal(db)

    await textOf(`${directory}/pid`)
  })

  test('runs as many at once as there are slots, and all in the end', async ({ db, directory, start }) => {
    // A folder a process: unlike lines of one file, they cannot be lost when two are made or removed at once.
    const count = `echo $EVALHUB_JOB_SPEC_PATH >> ${directory}/begun; mkdir -p ${directory}/now/$$; ls ${directory}/now | wc -l >> ${directory}/counts`
    const command = `${count}; sleep 0.2; rmdir ${directory}/now/$$; exit 7`
    const id = await submitSpecs(db, Array(7).fill(specFor(command)))
    await start({ maxParallel: 2 })

    await vi.waitFor(async () => expect((await storedRuns(db, id)).every(({ is_settled }) => is_settled)).toBe(true), { timeout: 15_000 })

    const counts = (await readFile(`${directory}/counts`, 'utf8')).trim().split('\n').map(Number)
    expect(counts).toHaveLength(7)
    expect(Math.max(...counts)).toBeLessThanOrEqual(2)
    expect(new Set((await readFile(`${directory}/begun`, 'utf8')).trim().split('\n')).size).toBe(7)
  })

  test('runs the command of a provider that came over the API where that is allowed', async ({ db, directory, start }) => {
    await submitSpecs(db, [specFor(announced(directory, 'exec sleep 100'), { from_catalogue: false })])
    await start({ allowProviderCommands: true })

    expect(await textOf(`${directory}/pid`)).toMatch(/^\d+/)
  })

  test.for(['../../../../escaped', '/escaped', 'a/../../escaped', 'x'.repeat(300)])(
    'fails a run whose benchmark is called %s, and makes no file',
    async (name, { db, directory, start }) => {
      const id = await submitSpecs(db, [specFor(`touch ${directory}/ran`, { benchmark_id: name })])
      await start()

      const run = await runBecomes(db, id, { state: 'failed', is_settled: true })

      expect(run.message).toMatch(/ids of the provider and the benchmark/)
      expect(await readdir(directory)).toEqual([])
    },
  )

  test('tries again later what cannot be launched now', async ({ db, directory, start }) => {
    const id = await submitSpecs(db, [specFor(announced(directory, 'exec sleep 100'))])
    await writeFile(`${directory}/file`, '')
    const { errors } = await start({ baseDirectory: `${directory}/file/jobs` })

    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(0))

    await vi.waitFor(async () =>
      expect(
        await db`select tries > 0 as is_tried, lease_holder, last_error like '%ENOTDIR%' as is_told from evalhub.launch_queue`,
      ).toEqual([{ is_tried: true, lease_holder: null, is_told: true }]),
    )
    expect(await storedRuns(db, id)).toMatchObject([{ state: 'pending' }])
  })

  test('fails a run in the end that cannot be launched time and again, with the reason', async ({ db, directory, start }) => {
    const id = await submitSpecs(db, [specFor('true')])
    await db`update evalhub.launch_queue set tries = 7`
    await writeFile(`${directory}/file`, '')
    await start({ baseDirectory: `${directory}/file/jobs` })

    const run = await runBecomes(db, id, { state: 'failed', is_settled: true })

    expect(run.message).toMatch(/could not be started: ENOTDIR/)
  })

  test('by two bridges launches nothing twice', async ({ db, directory, start }) => {
    await Promise.all([start({ maxParallel: 8 }), start({ maxParallel: 8 })])
    const id = await submitSpecs(db, Array(8).fill(specFor(`echo $EVALHUB_JOB_SPEC_PATH >> ${directory}/begun; exec sleep 100`)))

    await Promise.all([signal(db), signal(db)])

    await vi.waitFor(async () => expect((await storedRuns(db, id)).every(({ queued }) => queued === 0)).toBe(true), { timeout: 10_000 })
    await vi.waitFor(async () => expect((await readFile(`${directory}/begun`, 'utf8')).trim().split('\n')).toHaveLength(8))
    const begun = (await readFile(`${directory}/begun`, 'utf8')).trim().split('\n')
    expect(new Set(begun).size).toBe(8)
    expect((await storedRuns(db, id)).every(({ attempt, state }) => attempt === 1 && state === 'pending')).toBe(true)
  })

  test('takes over what a dead bridge had claimed', async ({ db, directory, start }) => {
    const id = await submitSpecs(db, [specFor(announced(directory, 'exec sleep 100'))])
    await claimLaunches(db, { holder: 'dead', limit: 9, leaseSeconds: 1 })
    await start()

    await textOf(`${directory}/pid`)

    expect(await runBecomes(db, id, { queued: 0 })).toMatchObject({ attempt: 1 })
  })
})

describe('the end of an adapter without a report', () => {
  test('fails the run at once if the exit code is not 0, with the last lines', async ({ db, start }) => {
    const id = await submitSpecs(db, [specFor('echo start; echo "no such model" >&2; exit 7')])
    await start()

    const run = await runBecomes(db, id, { state: 'failed', is_settled: true }, 4000)

    expect(run.message).toBe(
      'The adapter of benchmark benchmark ended with exit code 7 before it reported results. Its last lines:\nstart\nno such model',
    )
    expect(await keptLog(db, id)).toBe('start\nno such model\n')
    expect(
      await db`select failure_class, exit_code, ended_at is not null as is_ended from evalhub.attempts where evaluation_id = ${id}`,
    ).toEqual([{ failure_class: 'adapter_exit', exit_code: 7, is_ended: true }])
  })

  // Guarantee: no output keeps a run from ending. The cut through a surrogate pair could not be stored.
  test('fails the run with its last lines, whatever is in them', async ({ db, start }) => {
    const output = `${'😀'.repeat(2000)}a\u202e\u0007`
    const id = await submitSpecs(db, [specFor(`printf %s '${output}'; exit 1`)])
    await start()

    const run = await runBecomes(db, id, { state: 'failed' })
    expect(run.message).toMatch(/😀a⟨U\+202E⟩$/)
  })

  test('fails the run at once if a signal ended it', async ({ db, start }) => {
    const id = await submitSpecs(db, [specFor('kill -SEGV $$')])
    await start()

    const run = await runBecomes(db, id, { state: 'failed', is_settled: true }, 4000)

    expect(run.message).toMatch(/was ended by SIGSEGV before it reported results/)
  })

  test('fails the run after 5 s if it ended well', async ({ db, start }) => {
    const id = await submitSpecs(db, [specFor('echo fine')])
    const begun = performance.now()
    await start()

    const run = await runBecomes(db, id, { state: 'failed', is_settled: true })

    expect(performance.now() - begun).toBeGreaterThan(5000)
    expect(run.message).toMatch(/ended without reporting results. Its last lines:\nfine/)
  })

  test('changes nothing if the report comes within that time', async ({ db, directory, start }) => {
    const id = await submitSpecs(db, [specFor(announced(directory, 'exit 0'))])
    await start()
    const pid = await textOf(`${directory}/pid`)
    await vi.waitFor(async () => expect(await isAlive(pid)).toBe(false))

    await report(db, id, { status: 'completed', metrics: { accuracy: 1 } })

    expect(await runBecomes(db, id, { is_settled: true })).toMatchObject({ state: 'completed', message: null })
  })
})

describe('a run that was cancelled or deleted', () => {
  test('loses its process within half a second of the signal, and gives its slot back', async ({ db, directory, start }) => {
    await start({ maxParallel: 1, intervalMs: 60_000 })
    const id = await submitSpecs(db, [specFor(announced(directory, 'exec sleep 100'))])
    await signal(db)
    const pid = await textOf(`${directory}/pid`)
    const begun = performance.now()

    await cancel(db, id)
    await signal(db)
    await vi.waitFor(async () => expect(await isAlive(pid)).toBe(false), { interval: 5 })

    // Half a second is promised; a busy machine gets another.
    expect(performance.now() - begun).toBeLessThan(1000)
    await submitSpecs(db, [specFor(`echo > ${directory}/second; echo x >> ${directory}/second; exec sleep 100`)])
    await signal(db)
    await textOf(`${directory}/second`)
  })

  test('loses a process that ignores SIGTERM too, and its files, but not its log', async ({ db, directory, start }) => {
    const id = await submitSpecs(db, [specFor(`trap '' TERM; echo words; ${announced(directory, 'while :; do sleep 0.05; done')}`)])
    await start()
    const pid = await textOf(`${directory}/pid`)
    await vi.waitFor(() => expect(existsSync(join(directory, 'jobs', id))).toBe(true))

    await cancel(db, id)
    const before = await storedRuns(db, id)
    await signal(db)
    await vi.waitFor(async () => expect(await isAlive(pid)).toBe(false), { timeout: 5000 })
    await runBecomes(db, id, { is_settled: true })

    expect(await storedRuns(db, id)).toEqual(before.map((run) => ({ ...run, is_settled: true })))
    expect(existsSync(join(directory, 'jobs', id))).toBe(false)
    expect(await keptLog(db, id)).toBe('words\n')
  })

  // A cancel may meet a run at any moment of its launch.
  test('is over for good, whenever the cancel came', async ({ db, directory, start }) => {
    const { errors } = await start({ maxParallel: 20, intervalMs: 20 })
    const ids = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const id = await submitSpecs(db, [specFor(announced(directory, 'exec sleep 100'))])
        await signal(db)
        await delay(at * 4)
        await cancel(db, id)
        await signal(db)
        return id
      }),
    )

    for (const id of ids) await runBecomes(db, id, { state: 'cancelled', is_settled: true, queued: 0 })

    const pids = existsSync(`${directory}/pid`) ? (await readFile(`${directory}/pid`, 'utf8')).trim().split('\n') : []
    await vi.waitFor(async () => expect((await Promise.all(pids.map(isAlive))).includes(true)).toBe(false))
    await vi.waitFor(async () => expect(await readdir(join(directory, 'jobs')).catch(() => [])).toEqual([]))
    expect(errors).toEqual([])
  })

  test('is never launched if it was still waiting', async ({ db, directory, start }) => {
    const id = await submitSpecs(db, Array(3).fill(specFor(`touch ${directory}/ran`)))
    await cancel(db, id)
    await start()

    await runBecomes(db, id, { is_settled: true })

    expect(existsSync(`${directory}/ran`)).toBe(false)
  })

  test('is removed whole once it is deleted, whether it ran or had ended', async ({ db, directory, start }) => {
    const running = await submitSpecs(db, [specFor(announced(directory, 'exec sleep 100'))])
    const completed = await submitSpecs(db, [specFor('touch "${EVALHUB_JOB_SPEC_PATH%/meta/job.json}/artifact"; exit 0')])
    await start()
    const pid = await textOf(`${directory}/pid`)
    const artifact = join(directory, 'jobs', completed, '0', 'provider', 'benchmark', 'artifact')
    await vi.waitFor(() => expect(existsSync(artifact)).toBe(true))
    await report(db, completed, { status: 'completed' })
    await runBecomes(db, completed, { is_settled: true })
    // Artifacts outlive their run.
    expect(existsSync(artifact)).toBe(true)

    for (const id of [running, completed]) await deleteEvaluation(db, operator, id, new Date().toISOString())
    await signal(db)

    await vi.waitFor(async () => expect(await db`select from evalhub.evaluations`).toHaveLength(0), { timeout: 5000 })
    expect(await isAlive(pid)).toBe(false)
    expect(await readdir(join(directory, 'jobs'))).toEqual([])
  })
})

describe('a run', () => {
  test('is ended at its deadline, with words that say so', async ({ db, directory, start }) => {
    const command = announced(directory, 'exec sleep 100')
    const id = await submitSpecs(db, [specFor(command, { deadline_seconds: 1 })])
    await start()
    const pid = await textOf(`${directory}/pid`)

    const run = await runBecomes(db, id, { state: 'failed', is_settled: true })

    expect(run.message).toMatch(/longer than its limit of 1 s.*timeout_seconds/)
    expect(await isAlive(pid)).toBe(false)
    expect(await db`select failure_class from evalhub.attempts where evaluation_id = ${id}`).toEqual([{ failure_class: 'deadline' }])
  })

  test('that has reported its end keeps its process for a while, and is settled when that has left', async ({ db, directory, start }) => {
    const command = announced(directory, `while [ ! -e ${directory}/leave ]; do sleep 0.05; done; echo last words`)
    const id = await submitSpecs(db, [specFor(command)])
    await start()
    const pid = await textOf(`${directory}/pid`)
    await report(db, id, { status: 'completed' })
    await signal(db)
    const other = await submitSpecs(db, [specFor('exit 7')])
    await runBecomes(db, other, { is_settled: true })
    expect(await isAlive(pid)).toBe(true)
    expect(await storedRuns(db, id)).toMatchObject([{ state: 'completed', is_settled: false }])

    await writeFile(`${directory}/leave`, '')

    await runBecomes(db, id, { is_settled: true })
    expect(await keptLog(db, id)).toBe('last words\n')
  })

  test('shows its log while it runs, half a second late at most', async ({ db, directory, start }) => {
    const id = await submitSpecs(db, [
      specFor(announced(directory, `echo first; while [ ! -e ${directory}/more ]; do sleep 0.02; done; exec sleep 100`)),
    ])
    await start()
    await textOf(`${directory}/pid`)
    const begun = performance.now()

    await vi.waitFor(async () => expect(await keptLog(db, id)).toBe('first\n'), { timeout: 5000, interval: 10 })

    // Half a second is promised; a busy machine gets another.
    expect(performance.now() - begun).toBeLessThan(1000)
  })

  test.for([
    ['a path', (directory: string) => directory],
    ['a file URL', (directory: string) => pathToFileURL(directory).href],
  ] as const)('leaves no secret of its model, named by %s, in the log or the message', async ([, named], { db, directory, start }) => {
    await writeFile(join(directory, 'api-key'), 'sk-very-secret-value\n')
    const id = await submitSpecs(db, [specFor('echo key is sk-very-secret-value; exit 1')], { secretRef: named(directory) })
    await start()

    const run = await runBecomes(db, id, { state: 'failed', is_settled: true })

    expect(run.message).toMatch(/key is \*{20}$/)
    expect(await keptLog(db, id)).toBe(`key is ${'*'.repeat(20)}\n`)
  })

  test('fills neither the database nor the disk, however much it writes', async ({ db, directory, start }) => {
    const command = announced(directory, 'exec sh -c \'while :; do head -c 100000 /dev/zero | tr "\\0" x; sleep 0.02; done\'')
    const id = await submitSpecs(db, [specFor(command)])
    await start({ logLimitBytes: 300_000 })
    await textOf(`${directory}/pid`)

    const writtenBytes = async () =>
      Number((await db`select max(start_byte + bytes) as bytes from evalhub.run_logs where evaluation_id = ${id}`)[0]!.bytes)
    await vi.waitFor(async () => expect(await writtenBytes()).toBeGreaterThan(900_000), { timeout: 10_000 })
    const log = join(directory, 'jobs', id, '0', 'provider', 'benchmark', 'jobrun.log')
    const sizes = new Set<number>()
    await vi.waitFor(async () => {
      sizes.add((await stat(log)).size)
      // It has shrunk: it was emptied while the adapter went on.
      expect([...sizes].some((size, at) => [...sizes].slice(0, at).some((earlier) => earlier > size))).toBe(true)
    }, { timeout: 5000, interval: 5 }) // prettier-ignore

    expect((await keptLog(db, id)).length).toBeLessThanOrEqual(300_000)
  })
})
