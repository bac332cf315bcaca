import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startProcess } from './process.ts'
import { createFamily, familyOf, parseStat, RUN_VARIABLE, type Seen } from './run-processes.ts'

let directory = ''
let output = 0
let mark = ''
const errors: unknown[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'evalhub-run-'))
  output = openSync(join(directory, 'out'), 'a')
  mark = `test/${randomUUID()}`
})
afterEach(() => {
  closeSync(output)
  rmSync(directory, { recursive: true })
  expect(errors).toEqual([])
})

const environment = { PATH: process.env.PATH ?? '' }
const start = (command: string) => startProcess({ command, environment, output, mark, onError: (error) => errors.push(error) })

const isAlive = (pid: number) => /^\d+ \(.*\) [^ZX]/.test(existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '')

/** The id that a command has written to the file `pid`. */
const pidOf = () =>
  vi.waitFor(
    () => {
      const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'))
      expect(isAlive(pid)).toBe(true)
      return pid
    },
    { timeout: 5000, interval: 10 },
  )

/** Says where it is and stays, whatever it is told. */
const stay = () => `trap '' TERM HUP; echo $$ > ${directory}/pid; while :; do sleep 0.2; done`
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
const sh = (text: string) => `sh -c ${quoted(text)}`

/** Ways out of a process group, from the plainest to those that take trouble. */
const ESCAPES: [string, () => string][] = [
  ['in a session of its own', () => `setsid ${sh(stay())} &`],
  ['by a double fork', () => `setsid ${sh(`${sh(stay())} &`)}`],
  ['in a group of its own', () => `set -m; ${sh(stay())} & set +m;`],
  ['with another mark', () => `${RUN_VARIABLE}=other setsid ${sh(stay())} &`],
  ['with an empty environment', () => `env -i PATH="$PATH" setsid ${sh(stay())} &`],
  ['by a double fork with an empty environment', () => `env -i PATH="$PATH" setsid ${sh(`${sh(stay())} &`)}`],
  [
    'with an empty environment and no descriptors, below a parent that has one',
    () => `setsid ${sh(`env -i PATH="$PATH" ${sh(stay())} 4>&- >/dev/null 2>&1`)} &`,
  ],
]

describe.skipIf(process.platform !== 'linux')('a process that has left the group of its run', () => {
  test.each(ESCAPES)('%s is gone when the end of the run is reported', async (_, escape) => {
    const { ended } = await start(`${escape()}\n while [ ! -s ${directory}/pid ]; do sleep 0.01; done; exit 3`)
    const pid = await pidOf()

    expect(await ended).toEqual({ code: 3, signal: null })

    expect(isAlive(pid)).toBe(false)
  })

  test.each(ESCAPES)('%s is ended with the run', async (_, escape) => {
    const { ended, end } = await start(`${escape()}\n exec sleep 1000`)
    const pid = await pidOf()

    end(100)
    await ended

    expect(isAlive(pid)).toBe(false)
  })

  // Only its parent tells of it, so it is found while that lives.
  test('with nothing of the run left but its parent is ended with it', async () => {
    const { ended, end } = await start(`env -i PATH="$PATH" setsid ${sh(stay())} 4>&- >/dev/null 2>&1 & exec sleep 1000`)
    const pid = await pidOf()

    end(0)
    await ended

    expect(isAlive(pid)).toBe(false)
  })

  test('is asked before it is killed, and once', async () => {
    const polite = `trap 'echo asked >> ${directory}/said' TERM; echo $$ > ${directory}/pid; while [ ! -e ${directory}/said ]; do sleep 0.02; done; echo gone >> ${directory}/said`
    const { ended, end } = await start(
      `setsid ${sh(polite)} & trap 'echo asked >> ${directory}/leader; exit 0' TERM; while :; do sleep 0.02; done`,
    )
    await pidOf()

    end(10_000)
    await ended

    expect(readFileSync(`${directory}/said`, 'utf8')).toBe('asked\ngone\n')
    expect(readFileSync(`${directory}/leader`, 'utf8')).toBe('asked\n')
  })

  test('is found although it forks all the time', async () => {
    const forking = `f() { (sleep 0.05; f) & }; f; f; f; echo $$ > ${directory}/pid; exec sleep 1000`
    const { ended } = await start(`setsid ${sh(forking)} & while [ ! -s ${directory}/pid ]; do sleep 0.01; done`)
    await ended

    const left = execFileSync('sh', ['-c', `grep -lsz ${mark} /proc/[0-9]*/environ || true`], { encoding: 'utf8' })
    expect(left).toBe('')
  })

  // Guarantee: nothing is ended that is not of the run, whatever has become of process ids.
  test('is the only one to be ended', async () => {
    const others = [{ [RUN_VARIABLE]: `${mark}0` }, { [RUN_VARIABLE]: '' }, { OTHER: `${RUN_VARIABLE}=${mark}` }, {}].map((env) =>
      spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env: { ...environment, ...env } }),
    )
    await Promise.all(others.map((other) => once(other, 'spawn')))
    const { ended } = await start(`setsid sleep 1000 & exit 0`)
    await ended
    for (const { pid } of others) expect(isAlive(pid!)).toBe(true)

    expect(await createFamily((value) => value === `${mark}0`).kill()).toBe(0)
    await vi.waitFor(() => expect(others.map(({ pid }) => isAlive(pid!))).toEqual([false, true, true, true]))
    for (const other of others) other.kill('SIGKILL')
  })
})

describe('familyOf', () => {
  const seen = (pid: number, parent: number, session: number, isMarked = false): Seen => ({
    pid,
    parent,
    group: pid,
    session,
    start: '1',
    isMarked,
  })
  const hub = 100
  const below = [seen(1, 0, 1), seen(50, 1, 50), seen(hub, 50, 50)]
  const own = { above: new Set([1, 50, hub]), session: 50 }

  test('is what is marked, with its sessions and descendants', () => {
    const run = [seen(200, hub, 200, true), seen(201, 200, 200), seen(202, 1, 200), seen(203, 201, 203), seen(204, 1, 203)]
    const other = [seen(300, hub, 300), seen(301, 1, 301), seen(302, 50, 50)]
    expect(familyOf([...below, ...run, ...other], own)).toEqual(run)
  })

  test('is never the hub, what started it, or the rest of its session, whatever is marked', () => {
    const marked = below.map((one) => ({ ...one, isMarked: true }))
    expect(familyOf([...marked, seen(60, 50, 50), seen(300, hub, 300)], own)).toEqual([])
    expect(familyOf([...below, seen(60, 50, 50), seen(61, 1, 50, true)], own)).toEqual([seen(61, 1, 50, true)])
  })
})

test('a process is read by its fields, whatever its name, and a dead one not at all', () => {
  const fields = 'S 1 2 3 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 4242 13 14'
  expect(parseStat(`7 (a) R 9 (b) ${fields}`)).toEqual({ parent: 1, group: 2, session: 3, start: '4242' })
  expect(parseStat(`7 (a) ${fields.replace('S', 'Z')}`)).toBeUndefined()
  expect(parseStat(`2 (kthreadd) ${fields.replace('4194560', '2129984')}`)).toBeUndefined()
})
