import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const entryOf = (name: string) => fileURLToPath(new URL(`../local/${name}.ts`, import.meta.url))

export type HubProcess = {
  url: string
  child: ChildProcess
  /** Ends it in good order. */
  stop(): Promise<Ended>
  /** `kill -9`: the hub gets no chance to tidy up. */
  kill(): Promise<Ended>
}

export type Ended = { code: number | null; stdout: string; stderr: string }

type Options = {
  dataDir: string
  args?: string[]
  env?: Record<string, string>
  /** Of `local/`, without its ending. By default that of `npm start`. */
  entry?: 'main' | 'dev-worker'
}

/** The real `npm start`, or another entry, on a free port, once it says that it is ready. Rejects with what it printed if it ends before. */
export async function startHubProcess(options: Options): Promise<HubProcess> {
  const { child, ended, ready } = launch(options)
  const url = await Promise.race([
    ready,
    ended.then(({ code, stderr }) => {
      throw new Error(`the hub ended with ${code}: ${stderr}`)
    }),
  ])
  const endBy = (signal: 'SIGINT' | 'SIGKILL') => () => {
    child.kill(signal)
    return ended
  }
  return { url, child, stop: endBy('SIGINT'), kill: endBy('SIGKILL') }
}

/** The same for a start that is to fail: what it printed, and its exit code. */
export const runHubProcess = (options: Options): Promise<Ended> => launch(options).ended

function launch({ dataDir, args = [], env = {}, entry = 'main' }: Options) {
  const child = spawn(process.execPath, [entryOf(entry), '--port', '0', '--data-dir', dataDir, ...args], {
    env: { ...process.env, DATABASE_URL: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  const ready = new Promise<string>((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      stdout += data
      const url = /EvalHub (?:\(Worker\) )?is ready at (\S+)/.exec(stdout)?.[1]
      if (url) resolve(url)
    })
  })
  child.stderr.on('data', (data: Buffer) => (stderr += data))
  const ended = once(child, 'close').then(([code]): Ended => ({ code: code as number | null, stdout, stderr }))
  return { child, ended, ready }
}

/** True while the process exists and is no zombie of ours. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
