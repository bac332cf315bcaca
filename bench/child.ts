import { createLog } from '#shared/log.ts'
import { openFairPool } from '#db/fair-pool.ts'
import { openStore } from '#db/store.ts'
import { createApp } from '#functions/app.ts'
import { findDocsFile } from '#functions/docs-files.ts'
import { listen } from '#local/listen.ts'
import { measure, NOTHING_LEFT, type Figures } from './measure.ts'
import { newId, openReference, OPERATIONS, type Operation, type OperationName, type Subject } from './operations.ts'
import { openConnection, requestBytes } from './raw-http.ts'

type Measured = { operation: OperationName; connections: number; seconds: number; subject: Subject }

/** What a process of the benchmark is told to do. */
export type Task =
  | { role: 'server'; databaseUrl: string }
  | ({ role: 'reference'; databaseUrl: string } & Measured)
  | ({ role: 'load'; url: string } & Measured)

/** As every hub for several tenants judges them, and more than any measurement takes. */
const QUOTAS = { openRuns: 1e9, jobsPerMinute: 1e9, storedBytes: 1e15, catalogueEntries: 1e9 }

async function serve({ databaseUrl }: { databaseUrl: string }): Promise<{ url: string }> {
  const store = openStore(openFairPool(databaseUrl, { statementMs: 16_000 }), QUOTAS)
  const app = createApp({
    storeOf: () => store,
    identity: { mode: 'none' },
    log: createLog({ write: (line) => process.stderr.write(`${line}\n`), now: () => new Date() }),
    now: () => new Date(),
    newId,
    newRequestId: () => crypto.randomUUID(),
    maxBodyBytes: 10 * 1024 * 1024,
    findDocsFile,
  })
  const { port } = await listen(app.fetch, { host: '127.0.0.1', port: 0 })
  return { url: `http://127.0.0.1:${port}` }
}

async function load({ url, operation, connections, seconds, subject }: Extract<Task, { role: 'load' }>): Promise<Figures> {
  const base = new URL(url)
  const send = await Promise.all(Array.from({ length: connections }, () => openConnection(base)))
  const { request }: Operation = OPERATIONS[operation]
  // As bytes once, since the load should take little from the server.
  const known = new Map<string, Buffer>()
  let turn = 0
  const next = async (loop: number) => {
    const asked = request(subject, turn++)
    if (asked === NOTHING_LEFT) return NOTHING_LEFT
    const key = operation === 'progress' ? JSON.stringify(asked) : asked.path
    const bytes = known.get(key) ?? requestBytes(base, asked, subject.tenant)
    if (operation !== 'end') known.set(key, bytes)
    return send[loop]?.(bytes)
  }
  return measure(next, connections, seconds)
}

async function run(task: Task): Promise<Figures | { url: string }> {
  if (task.role === 'server') return serve(task)
  if (task.role === 'load') return load(task)
  const { next } = openReference(task.databaseUrl, task.operation, task.subject)
  return measure(next, task.connections, task.seconds)
}

process.on('message', (task: Task) => {
  run(task).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
