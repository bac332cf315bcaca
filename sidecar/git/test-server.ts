import { execFile, spawn } from 'node:child_process'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const IDENTITY = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.com', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.com' }
const AT = { GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' }
/** Nothing of the machine's own settings. */
const CLEAN = { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: '1', HOME: '/nonexistent', ...IDENTITY, ...AT }

/** Runs git itself in a directory. */
export async function runGit(directory: string, ...args: string[]): Promise<string> {
  return (await readGit(directory, ...args)).toString().trim()
}

/** The same, as bytes. */
export async function readGit(directory: string, ...args: string[]): Promise<Buffer> {
  const { stdout } = await execute('git', args, { cwd: directory, env: CLEAN, encoding: 'buffer', maxBuffer: 16 * 1024 * 1024 })
  return stdout
}

/** A pack of these objects, as git makes it with `options`. */
export const writePackFile = (directory: string, oids: readonly string[], options: readonly string[]): Promise<Buffer> =>
  piped(directory, ['pack-objects', '--stdout', '-q', ...options], Buffer.from(oids.map((oid) => `${oid}\n`).join('')))

/** A tree with entries as they are given, also such that git itself would refuse. */
export async function writeTree(directory: string, entries: { mode: string; name: string; oid: string }[]): Promise<string> {
  const content = entries.map(({ mode, name, oid }) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')]))
  return writeObject(directory, 'tree', Buffer.concat(content))
}

export async function writeObject(directory: string, type: string, content: Buffer): Promise<string> {
  return (await piped(directory, ['hash-object', '-t', type, '-w', '--literally', '--stdin'], content)).toString().trim()
}

async function piped(directory: string, args: string[], input: Buffer): Promise<Buffer> {
  const git = spawn('git', args, { cwd: directory, env: CLEAN })
  git.stdin.end(input)
  return buffer(git.stdout)
}

/** Answers as `git http-backend` does: the real server of what lies below `root`. */
export function answerGit(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '', 'http://x')
  const backend = spawn('git', ['http-backend'], {
    env: {
      ...CLEAN,
      GIT_PROJECT_ROOT: join(root),
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      CONTENT_LENGTH: request.headers['content-length'] ?? '',
    },
  })
  request.pipe(backend.stdin)
  let head: Buffer | undefined = Buffer.alloc(0)
  backend.stdout.on('data', (chunk: Buffer) => {
    if (!head) return void response.write(chunk)
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    const headers = head
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(': '))
    const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200'
    response.writeHead(Number.parseInt(status), headers.filter(([name]) => name !== 'Status').flat())
    response.write(head.subarray(end + 4))
    head = undefined
  })
  backend.once('close', () => response.end())
}
