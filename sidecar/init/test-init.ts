import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test as base } from 'vitest'
import { fetchTestData } from './fetch-test-data.ts'
import { readInitConfig } from './config.ts'

type Environment = Record<string, string>

/** A pod's directories, and servers that end with the test. Loopback is allowed, as an operator may, unless `env` says otherwise. */
export type Pod = {
  directory: string
  /** Runs the download; the answer is its line, or what it threw. */
  fetchData: (env: Environment, memoryBytes?: number) => Promise<string>
  /** The same as the process that the image runs. */
  runInit: (env: Environment) => Promise<{ code: number | null; output: string; message: string }>
  /** Paths below the target, with their content. */
  files: () => Promise<Record<string, string>>
  commit: () => Promise<string>
  secret: (keys: Environment) => Promise<void>
  serve: (listener: RequestListener, options?: { secure?: ServerOptions; host?: string }) => Promise<string>
}

export const test = base.extend<{ pod: Pod }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  pod: async ({}, use) => {
    const directory = await mkdtemp(join(tmpdir(), 'evalhub-init-'))
    const servers: Server[] = []
    await mkdir(join(directory, 'metadata'))
    await use(podIn(directory, servers))
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
    await rm(directory, { recursive: true })
  },
})

function podIn(directory: string, servers: Server[]): Pod {
  const target = join(directory, 'test_data')
  const termination = join(directory, 'termination-log')
  const whole = (env: Environment) => ({
    TEST_DATA_DIRECTORY: target,
    TEST_DATA_SECRET_DIRECTORY: join(directory, 'secret'),
    TEST_DATA_METADATA_FILE: join(directory, 'metadata', '.git-metadata'),
    TEST_DATA_TERMINATION_LOG: termination,
    TEST_DATA_ALLOWED_RANGES: '127.0.0.1/32',
    ...env,
  })
  return {
    directory,
    fetchData: async (env, memoryBytes) => fetchTestData(readInitConfig(whole(env), memoryBytes)).catch((error: Error) => error.message),
    async runInit(env) {
      const init = spawn(process.execPath, [join(import.meta.dirname, '../init.ts')], { env: { PATH: process.env.PATH, ...whole(env) } })
      const output = Promise.all([text(init.stdout), text(init.stderr)])
      const code = await new Promise<number | null>((resolve) => init.once('close', resolve))
      return { code, output: (await output).join(''), message: await readFile(termination, 'utf8').catch(() => '') }
    },
    async files() {
      const entries = await readdir(target, { recursive: true, withFileTypes: true }).catch(() => [])
      const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
      const contents = await Promise.all(files.map(async (file) => [file.slice(target.length + 1), await readFile(file, 'utf8')] as const))
      return Object.fromEntries(contents.sort(([one], [other]) => (one < other ? -1 : 1)))
    },
    commit: () => readFile(join(directory, 'metadata', '.git-metadata'), 'utf8'),
    async secret(keys) {
      await mkdir(join(directory, 'secret'), { recursive: true })
      await Promise.all(Object.entries(keys).map(([key, value]) => writeFile(join(directory, 'secret', key), value)))
    },
    async serve(listener, { secure, host = '127.0.0.1' } = {}) {
      const server = secure ? createSecureServer(secure, listener) : createServer(listener)
      servers.push(server)
      await new Promise<void>((resolve) => server.listen(0, host, resolve))
      const address = server.address()
      return `${secure ? 'https' : 'http'}://${host}:${typeof address === 'object' ? address?.port : ''}`
    },
  }
}

/** What a server was asked, in order. */
export const noted = (asked: string[], request: IncomingMessage) =>
  asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim())

/** An answer that does not end before somebody breaks it off. */
export const endless: RequestListener = (_, response) => {
  const chunk = Buffer.alloc(1024 * 1024, ' ')
  const more = () => {
    while (response.write(chunk));
  }
  response.on('drain', more)
  more()
}
