import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createClient, type EvaluationJob } from '#sdk/index.ts'
import { runHubProcess, startHubProcess, type HubProcess } from './hub-process.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

/** What jobs of a hub on one machine may read: its owner's folders, and none of the other files of the user that it runs as. */

const SECRET = 'private-value-71x'
const ROW = JSON.stringify({ question: SECRET, answer: 'a' })

let folder: string
let dataDir: string
let hub: HubProcess
let model: Server
/** What the model was sent. */
let sent: string[]
beforeAll(async () => {
  folder = await makeFolder()
  dataDir = join(folder, 'data')
  for (const name of ['private', 'named', 'data']) {
    await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, name, 'rows.jsonl'), ROW)
    await writeFile(join(folder, name, 'api-key'), SECRET)
  }
  await symlink(join(folder, 'private'), join(dataDir, 'link'))
  await symlink(join(folder, 'private', 'nothing'), join(dataDir, 'dangling'))
  model = createServer((request, response) => {
    let body = request.headers.authorization ?? ''
    request.on('data', (part) => (body += part))
    request.on('end', () => {
      sent.push(body)
      response.end(JSON.stringify({ choices: [{ message: { content: 'a' }, finish_reason: 'stop' }] }))
    })
  }).listen(0, '127.0.0.1')
  hub = await startHubProcess({ dataDir, args: ['--allow-path', join(folder, 'named')] })
})
beforeEach(() => {
  sent = []
})
afterAll(async () => {
  await hub.stop()
  model.closeAllConnections()
  model.close()
  await removeFolder(folder)
})

type Named = { dataset?: string; secretRef?: string; id?: string }

async function evaluate({ dataset, secretRef, id = 'generation' }: Named): Promise<EvaluationJob> {
  const { evaluations } = createClient({ baseUrl: hub.url })
  const url = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`
  const { resource } = await evaluations.submit({
    name: 'files',
    model: { url, name: 'm', ...(secretRef !== undefined && { auth: { secret_ref: secretRef } }) },
    benchmarks: [{ provider_id: 'builtin', id, parameters: { num_examples: 2, ...(dataset !== undefined && { dataset }) } }],
  })
  return evaluations.wait(resource.id, { timeoutMs: 60_000 })
}

const messageOf = ({ status }: EvaluationJob) => status.benchmarks[0]?.error_message?.message ?? ''

describe('a job on one machine', () => {
  // The attack: whoever reaches the hub names a file of its user, and has it sent to a server of his own.
  test.each(['private/rows.jsonl', 'data/link/rows.jsonl', 'data/../private/rows.jsonl'])(
    'sends nothing of the data set %s',
    async (path) => {
      const job = await evaluate({ dataset: `${folder}/${path}` })
      expect(job.status.state).toBe('failed')
      expect(messageOf(job)).toMatch(/Parameter dataset names no file that it may: looked for .*rows\.jsonl\. .*--allow-path DIR/s)
      expect(sent).toEqual([])
    },
  )

  test.each(['private', 'data/link', 'data/dangling', 'data/jobs', '../etc'])('sends no key of the folder %s', async (path) => {
    for (const secretRef of [`${folder}/${path}`, pathToFileURL(join(folder, path)).href]) {
      const job = await evaluate({ secretRef, id: 'world_capitals' })
      expect(job.status.state).toBe('failed')
      expect(messageOf(job)).toMatch(/model\.auth\.secret_ref names no folder that it may: .*--allow-path DIR/)
    }
    expect(sent).toEqual([])
  })

  test('does not learn whether a file or a folder is there that it may not name', async () => {
    const [there, missing] = [
      await evaluate({ dataset: `${folder}/private/rows.jsonl` }),
      await evaluate({ dataset: `${folder}/private/rowz.jsonl` }),
    ]
    expect(messageOf(missing).replace('rowz', 'rows')).toBe(messageOf(there))
    const [secret, none] = [await evaluate({ secretRef: `${folder}/private` }), await evaluate({ secretRef: `${folder}/privatf` })]
    expect(messageOf(none).replace('privatf', 'private')).toBe(messageOf(secret))
  })

  // Guarantee: the data directory is open, and yet neither the samples of another's run nor the database's files are.
  test('reads neither what another run wrote nor what belongs to the database', async () => {
    const earlier = await evaluate({ id: 'world_capitals' })
    const samples = join(dataDir, 'jobs', earlier.resource.id, '0', 'builtin', 'world_capitals', 'samples.jsonl')
    expect(await readFile(samples, 'utf8')).toContain('"output"')
    sent = []
    for (const path of [samples, join(dataDir, 'postgres', 'password')]) {
      expect(messageOf(await evaluate({ dataset: path }))).toContain('names no file that it may')
    }
    expect(sent).toEqual([])
  })

  test.each(['data', 'named'])('reads data sets and keys of the folder %s, which its owner named', async (name) => {
    const job = await evaluate({ dataset: join(folder, name, 'rows.jsonl'), secretRef: join(folder, name) })
    expect(job.status.state).toBe('completed')
    expect(sent).toEqual([expect.stringMatching(`^Bearer ${SECRET}.*${SECRET}`)])
    expect(JSON.stringify(await createClient({ baseUrl: hub.url }).evaluations.logs(job.resource.id))).not.toContain(SECRET)
  })

  // Guarantee: a key that cannot be had fails the run in words, and nothing goes out without it.
  test.each([
    ['the name of a Secret, as on a cluster', 'model-secret', /names no folder: \S+\/model-secret is not there/],
    ['a folder that is not there', 'named/missing', /names no folder: \S+\/named\/missing is not there/],
    ['a file', 'named/api-key', /names no folder: \S+\/named\/api-key is a file/],
    ['a folder without a key', 'named/empty', /names a folder without a key: \S+\/named\/empty\/api-key is not there/],
    ['a folder whose key has another name', 'named/typo', /\/named\/typo\/api-key is not there/],
    ['an empty key', 'named/blank', /\/named\/blank\/api-key is empty/],
    ['a key that is a link elsewhere', 'named/linked', /\/named\/linked\/api-key is no plain file/],
  ])('that names %s fails before anything is sent', async (_, ref, words) => {
    await Promise.all(['empty', 'typo', 'blank', 'linked'].map((name) => mkdir(join(folder, 'named', name), { recursive: true })))
    await writeFile(join(folder, 'named', 'typo', 'apikey'), SECRET)
    await writeFile(join(folder, 'named', 'blank', 'api-key'), '\n')
    await symlink(join(folder, 'private', 'api-key'), join(folder, 'named', 'linked', 'api-key')).catch(() => undefined)

    const job = await evaluate({ secretRef: ref.includes('/') ? join(folder, ref) : ref, id: 'world_capitals' })

    expect(messageOf(job)).toMatch(words)
    expect(messageOf(job)).toMatch(/It must be a folder on this machine with the file api-key/)
    expect(job.status).toMatchObject({ state: 'failed' })
    expect(sent).toEqual([])
  })
})

test('a folder that is to be opened must be there', async () => {
  const ended = await runHubProcess({ dataDir: join(folder, 'other'), args: ['--allow-path', join(folder, 'missing')] })
  expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining('--allow-path names') })
})
