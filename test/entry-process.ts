import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Ended } from './hub-process.ts'

export type Line = { time: string; level: string; message: string } & Record<string, unknown>

export type EntryProcess = {
  child: ChildProcess
  /** What it said when it was ready. */
  ready: Line
  /** What it has logged so far. */
  lines: () => Line[]
  ended: Promise<Ended>
  /** Sends SIGTERM and waits for its end. */
  stop(): Promise<Ended>
}

type Environment = Record<string, string>

/** What `npm run` gives a program that runs from its sources. */
const PRELOAD = ['--import', new URL('../local/mended-sources.ts', import.meta.url).href]

const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env

/** Knows no setting of the machine that the tests run on. */
const OWN: Environment = {
  PATH,
  ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }),
  METRICS_HOST: '127.0.0.1',
  METRICS_PORT: '0',
  PORT: '0',
  EVENTS_PORT: '0',
}

function launch(entry: string, env: Environment, args: string[] = [], options: readonly string[] = []) {
  const file = fileURLToPath(new URL(entry, new URL('..', import.meta.url)))
  const child = spawn(process.execPath, [...(file.endsWith('.ts') ? PRELOAD : []), ...options, file, ...args], {
    env: { ...OWN, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stderr.on('data', (data: Buffer) => (stderr += data))
  const lines = () =>
    stdout
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Line)
  const ready = new Promise<Line>((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      stdout += data
      const line = lines().find(({ message }) => message === 'ready')
      if (line) resolve(line)
    })
  })
  const ended = once(child, 'close').then(([code]): Ended => ({ code: code as number | null, stdout, stderr }))
  return { child, lines, ready, ended }
}

/**
 * Starts a program of the project, or one that was built (absolute), once it says that it is ready. Rejects with what it printed if it ends before.
 * `options` are Node's.
 */
export async function startEntry(entry: string, env: Environment, options?: readonly string[]): Promise<EntryProcess> {
  const { child, lines, ready, ended } = launch(entry, env, [], options)
  const failed = ended.then(({ code, stderr }) => {
    throw new Error(`${entry} ended with ${code}: ${stderr}`)
  })
  const line = await Promise.race([ready, failed])
  failed.catch(() => undefined)
  const stop = () => {
    child.kill('SIGTERM')
    return ended
  }
  return { child, ready: line, lines, ended, stop }
}

/** Runs one to its end. */
export const runEntry = (entry: string, env: Environment, args?: string[]): Promise<Ended> => launch(entry, env, args).ended
