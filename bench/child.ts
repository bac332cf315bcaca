import { createLog } from '#shared/log.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { connect } from '#db/client.ts'
import { openStore } from '#db/store.ts'
import { createApp } from '#functions/app.ts'
import { findDocsFile } from '#functions/docs-files.ts'
import { listen } from '#local/listen.ts'
import { measure, type Figures } from './measure.ts'
import { EVENT, openReference, REQUEST, type Operation } from './operations.ts'
import { openConnection, requestBytes } from './raw-http.ts'

/** What a process of the benchmark is told to do. */
export type Task =
  | { role: 'server'; databaseUrl: string }
  | { role: 'reference'; databaseUrl: string; operation: Operation; connections: number; seconds: number; ids: string[] }
  | { role: 'load'; url: string; operation: Operation; connections: number; seconds: number; ids: string[] }

const JOBS = '/api/v1/evaluations/jobs'

async function serve({ databaseUrl }: { databaseUrl: string }): Promise<{ url: string }> {
  const store = openStore(connect(databaseUrl))
  const app = createApp({
    storeOf: () => store,
    identity: { mode: 'none' },
    log: createLog({ write: (line) => process.stderr.write(`${line}\n`), now: () => new Date() }),
    now: () => new Date(),
    newId: uuidV7Source({ now: () => Date.now(), random: (bytes) => void crypto.getRandomValues(bytes) }),
    newRequestId: () => crypto.randomUUID(),
    maxBodyBytes: 10 * 1024 * 1024,
    findDocsFile,
  })
  const { port } = await listen(app.fetch, { host: '127.0.0.1', port: 0 })
  return { url: `http://127.0.0.1:${port}` }
}

async function load({ url, operation, connections, seconds, ids }: Extract<Task, { role: 'load' }>): Promise<Figures> {
  const base = new URL(url)
  const send = await Promise.all(Array.from({ length: connections }, () => openConnection(base)))
  const gets = ids.map((id) => requestBytes(base, 'GET', `${JOBS}/${id}`))
  const events = ids.map((id) => requestBytes(base, 'POST', `${JOBS}/${id}/events`, JSON.stringify({ benchmark_status_event: EVENT })))
  const submits = [requestBytes(base, 'POST', JOBS, JSON.stringify(REQUEST))]
  const requests = { submit: submits, get: gets, event: events }[operation]
  let turn = 0
  return measure((loop) => send[loop]!(requests[turn++ % requests.length]!), connections, seconds)
}

async function run(task: Task): Promise<Figures | { url: string }> {
  if (task.role === 'server') return serve(task)
  if (task.role === 'load') return load(task)
  const reference = openReference(task.databaseUrl, task.ids)
  return measure(reference.operations[task.operation], task.connections, task.seconds)
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
