import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startProcess } from './process.ts'

let directory = ''
let output = 0
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'evalhub-process-'))
  output = openSync(join(directory, 'out'), 'a')
})
afterEach(() => {
  closeSync(output)
  rmSync(directory, { recursive: true })
})

const environment = { PATH: process.env.PATH ?? '' }
const mark = `test/${randomUUID()}`
const errors: unknown[] = []
const start = (command: string) => startProcess({ command, environment, output, mark, onError: (error) => errors.push(error) })

/** True if a process of the group lives: dead ones that wait to be collected do not count. */
const groupLives = (pid: number) =>
  execFileSync('ps', ['-eo', 'pgid=,stat='], { encoding: 'utf8' })
    .split('\n')
    .some((line) => new RegExp(`^\\s*${pid} +[^Z]`).test(line))

const written = () => readFileSync(join(directory, 'out'), 'utf8')

describe('startProcess', () => {
  test.each([
    ['exit 0', { code: 0, signal: null }],
    ['exit 7', { code: 7, signal: null }],
    ['no-such-command-anywhere', { code: 127, signal: null }],
    ['kill -9 $$', { code: null, signal: 'SIGKILL' }],
    ['exec sleep 100 & exit 3', { code: 3, signal: null }],
  ])('reports the end of "%s" as it was', async (command, exit) => {
    const { ended } = await start(command)

    expect(await ended).toEqual(exit)
  })

  test('leads a group of its own, which is gone when the end is reported, background processes included', async () => {
    const { pid, ended } = await start('sleep 100 & sleep 100 & echo started; kill -STOP $$; echo ended')

    await vi.waitFor(() => expect(written()).toBe('started\n'))
    expect(groupLives(pid)).toBe(true)
    process.kill(pid, 'SIGCONT')
    await ended

    expect(groupLives(pid)).toBe(false)
    expect(written()).toBe('started\nended\n')
  })

  test('writes standard output and error to the one place, in order', async () => {
    const { ended } = await start('echo one; echo two >&2; echo three')
    await ended

    expect(written()).toBe('one\ntwo\nthree\n')
  })

  test('does not give the guard its pipe to the command', async () => {
    const { ended } = await start('if (: <&3) 2>/dev/null; then echo open; else echo closed; fi')
    await ended

    expect(written()).toBe('closed\n')
  })

  test('lets the command handle the SIGTERM that ends it, behind a shell that does not', async () => {
    const command = `true && ${process.execPath} -e "process.on('SIGTERM', () => setTimeout(() => { console.log('clean'); process.exit(5) }, 100)); setInterval(() => {}, 1000); console.log('ready')"; true`
    const { ended, end } = await start(command)
    await vi.waitFor(() => expect(written()).toBe('ready\n'), { timeout: 5000 })

    end(5000)
    await ended

    expect(written()).toBe('ready\nclean\n')
  })

  test('kills what ignores SIGTERM, after the grace', async () => {
    const { pid, ended, end } = await start(`trap '' TERM; echo ready; while :; do sleep 0.05; done`)
    await vi.waitFor(() => expect(written()).toBe('ready\n'), { timeout: 5000 })
    const before = performance.now()

    end(200)
    end(200)

    expect(await ended).toEqual({ code: null, signal: 'SIGKILL' })
    expect(performance.now() - before).toBeGreaterThan(190)
    expect(groupLives(pid)).toBe(false)
  })

  test('ends at once what does not resist, whatever the grace', async () => {
    const { ended, end } = await start('sleep 100')
    const before = performance.now()

    end(60_000)

    expect(await ended).toEqual({ code: null, signal: 'SIGTERM' })
    expect(performance.now() - before).toBeLessThan(3000)
  })

  // The guarantee that no adapter outlives its hub: nobody is there to end it.
  test.each(['sleep 100', `trap '' TERM INT HUP; while :; do sleep 0.05; done`])(
    'leaves no process of "%s" when the hub is killed',
    async (command) => {
      const module = new URL('process.ts', import.meta.url).href
      const program = `import { startProcess } from ${JSON.stringify(module)}
        const { pid } = await startProcess({ command: ${JSON.stringify(command)}, environment: process.env, output: 1, mark: 'none', onError: console.error })
        console.log(pid)
        setInterval(() => {}, 1000)`
      const hub = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
      const [line] = (await once(hub.stdout, 'data')) as [Buffer]
      const pid = Number(line)
      expect(groupLives(pid)).toBe(true)

      hub.kill('SIGKILL')

      await vi.waitFor(() => expect(groupLives(pid)).toBe(false), { timeout: 3000, interval: 10 })
    },
  )
})
