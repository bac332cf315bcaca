import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startToyModel } from '#local/toy-model.ts'
import { startEntry, runEntry } from '../entry-process.ts'
import { startTemporary } from '../start-postgres.ts'
import { makeFolder, removeFolder } from '../temporary-folder.ts'

/** EvalHub as processes of this machine, beside a cluster whose node reaches them at an address of its own. */
export type HubBeside = {
  /** Asks the API as somebody of that tenant. */
  call(tenant: string, method: string, path: string, body?: unknown): Promise<{ status: number; text: string; body: any }> // oxlint-disable-line typescript/no-explicit-any -- of any route
  /** A model's endpoint, as pods name it. */
  modelUrl: string
  modelName: string
  /** Lines of the bridge's log. */
  bridgeLog(): string[]
  stop(): Promise<void>
}

export type Place = { kubeconfig: string; image: string; host: string }

const JOBS = '/api/v1/evaluations/jobs'
const KEY = 'the key of run tokens in these tests'
const CATALOGUE = fileURLToPath(new URL('catalogue', import.meta.url))

/** What is missing is waited for as long as tests can wait. */
const PATIENCE = { WAIT_MISSING: '20s', WAIT_CAPACITY: '20s' }

export async function startHubBeside({ kubeconfig, image, host }: Place): Promise<HubBeside> {
  const stack = new AsyncDisposableStack()
  const folder = await makeFolder()
  stack.defer(() => removeFolder(folder))
  await promisify(execFile)(process.execPath, [fileURLToPath(new URL('../../local/build.ts', import.meta.url)), folder])
  const program = (name: string) => join(folder, `app/${name}.mjs`)
  const database = await startTemporary()
  stack.defer(() => database.stop())
  const environment = { DATABASE_URL: database.url, RUN_TOKEN_KEY: KEY, CATALOGUE_DIRS: `${folder}/catalogue,${CATALOGUE}` }
  const migrated = await runEntry(program('migrate'), environment)
  if (migrated.code !== 0) throw new Error(`The migration failed: ${migrated.stderr}`)
  const functions = await startEntry(program('functions'), { ...environment, IDENTITY_MODE: 'headers' })
  stack.defer(async () => void (await functions.stop()))
  const url = String(functions.ready.url)
  const bridge = await startEntry(program('bridge'), {
    ...environment,
    ...PATIENCE,
    RUNTIME: 'kubernetes',
    KUBECONFIG: kubeconfig,
    EVALHUB_IMAGE: image,
    FUNCTIONS_URL: `http://${host}:${new URL(String(functions.ready.events_url)).port}`,
  })
  stack.defer(async () => void (await bridge.stop()))
  const model = await startToyModel()
  stack.defer(() => model.stop())
  return {
    modelName: model.name,
    modelUrl: `http://${host}:${new URL(model.url).port}/v1`,
    bridgeLog: () => bridge.lines().map((line) => JSON.stringify(line)),
    async call(tenant, method, path, body) {
      const headers = { 'X-Tenant': tenant, 'X-User': 'ann', 'content-type': 'application/json' }
      const answer = await fetch(url + JOBS + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
      const text = await answer.text()
      return { status: answer.status, text, body: text.startsWith('{') ? JSON.parse(text) : undefined }
    },
    stop: () => stack.disposeAsync(),
  }
}
