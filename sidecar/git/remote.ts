import { open } from 'node:fs/promises'
import { FLUSH, notGit, packetOf, packetsIn } from './packets.ts'
import { request, type Authorization } from '../init/guarded-request.ts'
import type { Agents } from '../init/guarded-connect.ts'
import { InitError } from '../init/init-error.ts'

type Options = {
  /** Of the repository, without a slash at its end. */
  url: string
  agents: Agents
  signal: AbortSignal
  authorization: Authorization | undefined
  /** Of what a repository sends, compressed. */
  maxPackBytes: number
}

/** What a server has, by name: `refs/heads/main` and the object that it means. */
export type Refs = ReadonlyMap<string, string>

export type GitRemote = {
  list: () => Promise<Refs>
  /** Writes what is needed for these objects into a file; `isAlone`: without what came before them, if the server can. */
  fetch: (oids: readonly string[], path: string, isAlone: boolean) => Promise<void>
}

/** The server does not give that. The message is for the user. */
export class NotGiven extends InitError {}

/** All that a server says beside the pack is held, some of it several times. */
const talkBytes = 16 * 1024 * 1024

const service = 'git-upload-pack'

/** Speaks git's protocol, version 0, over HTTP. Source: gitprotocol-http(5), gitprotocol-pack(5). What follows a redirected list is asked where that led. */
export function createGitRemote({ url, agents, signal, authorization, maxPackBytes }: Options): GitRemote {
  let base = url
  let capabilities: readonly string[] = []

  const ask = async (path: string, body?: Buffer) => {
    const target = new URL(base + path)
    const type = `application/x-${service}`
    const headers = body && { 'content-type': `${type}-request`, accept: `${type}-result`, 'content-length': body.length }
    const answer = await request(target, {
      agents,
      signal,
      authorization,
      headers: { ...headers, 'user-agent': 'git/2.0 (evalhub)' },
      ...(body && { method: 'POST', body }),
    })
    if (answer.status === 200) return answer
    answer.body.destroy()
    throw refusal(answer.status)
  }
  return {
    async list() {
      const path = `/info/refs?service=${service}`
      const answer = await ask(path)
      if (answer.url.href.endsWith(path)) base = answer.url.href.slice(0, -path.length)
      const told = await readRefs(answer.body)
      capabilities = told.capabilities
      return told.refs
    },
    async fetch(oids, path, isAlone) {
      const answer = await ask(`/${service}`, Buffer.from(wish(oids, capabilities, isAlone)))
      await writePack(answer.body, path, maxPackBytes)
    },
  }
}

function refusal(status: number): InitError {
  const isRefusal = status === 401 || status === 403 || status === 404
  const hint = isRefusal ? 'check the url, and the Secret with username and password if the repository is not public' : 'try again'
  return new NotGiven(`the server answered ${status}; ${hint}`)
}

async function readRefs(body: AsyncIterable<Uint8Array>): Promise<{ refs: Refs; capabilities: string[] }> {
  const refs = new Map<string, string>()
  let capabilities: string[] = []
  let isAnnounced = false
  let bytes = 0
  for await (const packet of packetsIn(body)) {
    bytes = within(bytes + sentFor(packet))
    const [line = '', told] = packet?.toString().replace(/\n$/, '').split('\0') ?? []
    if (told !== undefined) capabilities = told.split(' ')
    if (line.startsWith('ERR ')) throw saidBy(line.slice(4))
    if (line === `# service=${service}`) isAnnounced = true
    const [, oid = '', name = ''] = /^([0-9a-f]{40}) (\S+)$/.exec(line) ?? []
    if (name !== '' && !name.endsWith('^{}')) refs.set(name, oid)
  }
  if (!isAnnounced) throw notGit()
  if (capabilities.includes('object-format=sha256')) throw new InitError('it names its objects by SHA-256, which is not read here')
  return { refs, capabilities }
}

/** A request for these objects and nothing that is there already. */
function wish(oids: readonly string[], offered: readonly string[], isAlone: boolean): string {
  const band = ['side-band-64k', 'side-band'].find((name) => offered.includes(name))
  if (band === undefined) throw notGit()
  // Some servers give nothing to a client that cannot be told of more than one common commit.
  const others = ['multi_ack_detailed', 'ofs-delta', 'no-progress', 'shallow'].filter((name) => offered.includes(name))
  const agent = offered.some((name) => name.startsWith('agent=')) ? ['agent=git/2.0-evalhub'] : []
  const wants = oids.map((oid, at) => packetOf(`want ${oid}${at === 0 ? ` ${[band, ...others, ...agent].join(' ')}` : ''}\n`))
  const depth = isAlone && others.includes('shallow') ? packetOf('deepen 1\n') : ''
  return `${wants.join('')}${depth}${FLUSH}${packetOf('done\n')}`
}

const [PACK, FATAL] = [1, 3]

async function writePack(body: AsyncIterable<Uint8Array>, path: string, maxBytes: number): Promise<void> {
  const file = await open(path, 'w')
  let [bytes, talk] = [0, 0]
  try {
    for await (const packet of packetsIn(body)) {
      const [band] = packet ?? []
      if (packet && band === PACK) {
        bytes += packet.length
        if (bytes > maxBytes) throw tooMuch(maxBytes)
        await file.writeFile(packet.subarray(1))
        continue
      }
      talk = within(talk + sentFor(packet))
      const text = packet?.toString() ?? ''
      if (band === FATAL) throw saidBy(text.slice(1))
      if (text.startsWith('ERR ')) throw saidBy(text.slice(4))
    }
  } finally {
    await file.close()
  }
  if (bytes === 0) throw new NotGiven('the server sent nothing; check ref')
}

const tooMuch = (maxBytes: number) =>
  new InitError(
    `it has more than ${maxBytes} bytes, the limit for what a repository sends; keep large data in S3, or ask the operator for a higher limit`,
  )

const saidBy = (words: string) => new NotGiven(`the server says: ${words.trim()}`)

/** With the digits before it. */
const sentFor = (packet: Buffer | undefined) => 4 + (packet?.length ?? 0)

function within(bytes: number): number {
  if (bytes > talkBytes) throw new InitError(`the server says more than ${talkBytes} bytes beside the data; check the url`)
  return bytes
}
