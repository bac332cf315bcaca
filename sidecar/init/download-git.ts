import { join } from 'node:path'
import { readCredential } from '../credentials.ts'
import type { Download } from './download.ts'
import { listGitFiles } from '../git/checkout.ts'
import { openPack, type Pack, type PackLimits } from '../git/pack.ts'
import { createGitRemote, NotGiven, type GitRemote, type Refs } from '../git/remote.ts'
import { readCommit } from '../git/tree.ts'
import type { Authorization } from './guarded-request.ts'
import type { GitSource } from './config.ts'
import { InitError } from './init-error.ts'

/** Fetches one commit of a repository and copies its files; the commit is the answer. */
export async function downloadGit({ url, ref, subPath, maxEntries, maxPackBytes, limits }: GitSource, download: Download): Promise<string> {
  const { staging, agents, signal } = download
  const authorization = await authorizationFor(url, download)
  const remote = createGitRemote({ url: plainUrl(url), agents, signal, authorization, maxPackBytes })
  const { pack, oid, tree } = await fetchCommit({ remote, ref, path: join(staging.scratch, 'pack'), limits })
  try {
    for await (const file of listGitFiles({ pack, tree }, subPath, maxEntries)) {
      await staging.save(file.path, pack.pieces(file.oid), signal)
    }
  } finally {
    await pack.close()
  }
  return oid
}

/** As it may be shown. */
function plainUrl(text: string): string {
  const url = new URL(text)
  url.username = ''
  url.password = ''
  url.search = ''
  url.hash = ''
  return url.href.replace(/(?<!\/)\/+$/, '')
}

/** Of the Secret, else of the address. */
async function authorizationFor(text: string, { secretDirectory, secrets }: Download): Promise<Authorization | undefined> {
  const url = new URL(text)
  const [username, password] = [
    await readCredential(secretDirectory, 'username', secrets),
    await readCredential(secretDirectory, 'password', secrets),
  ]
  if ((username === undefined) !== (password === undefined)) throw new InitError('the Secret must have both keys, username and password')
  const inUrl = [url.username, url.password].map(decodeURIComponent)
  for (const part of inUrl) if (part !== '') secrets.add(part)
  const pair = username === undefined ? inUrl.join(':') : `${username}:${password}`
  if (pair === ':') return undefined
  if (url.protocol !== 'https:') throw new InitError('credentials go over https only; change the scheme of the url')
  return { origin: url.origin, value: `Basic ${Buffer.from(pair).toString('base64')}` }
}

type Fetch = { remote: GitRemote; ref: string; path: string; limits: PackLimits }
type Fetched = { pack: Pack; oid: string; tree: string }

const noCommit = () => new InitError('it has no such commit; check ref')

async function fetchCommit({ remote, ref, path, limits }: Fetch): Promise<Fetched> {
  const refs = await remote.list()
  const fetched = async (oids: readonly string[], isAlone: boolean, choose: (pack: Pack) => string): Promise<Fetched> => {
    await remote.fetch(oids, path, isAlone)
    const pack = await openPack(path, limits)
    try {
      const commit = await readCommit(pack, choose(pack))
      if (!commit) throw noCommit()
      return { pack, ...commit }
    } catch (error) {
      await pack.close()
      throw error
    }
  }
  const found = chooseRef(refs, ref)
  if ('oid' in found) return fetched([found.oid], true, () => found.oid)
  if (found.sha.length === 40) {
    try {
      return await fetched([found.sha], true, () => found.sha)
    } catch (error) {
      // Most servers give any commit they have. One that does not, gives all of them below.
      if (!(error instanceof NotGiven)) throw error
    }
  }
  return fetched([...new Set(refs.values())], false, (pack) => wholeName(pack, found.sha))
}

function wholeName(pack: Pack, beginning: string): string {
  const [name, ...others] = pack.named(beginning)
  if (others.length > 0) throw new InitError('ref is the beginning of several commits; give more digits')
  if (name === undefined) throw noCommit()
  return name
}

/** A branch beats a tag of the same name; what is neither may be the beginning of a commit's name. */
function chooseRef(refs: Refs, ref: string): { oid: string } | { sha: string } {
  const oid = refs.get(`refs/heads/${ref}`) ?? refs.get(`refs/tags/${ref}`)
  if (oid !== undefined) return { oid }
  if (refs.size === 0) throw new InitError('the repository is empty')
  if (!/^[0-9a-f]{7,40}$/i.test(ref))
    throw new InitError('it has no such branch or tag, and a commit is named by 7 to 40 hexadecimal digits')
  return { sha: ref.toLowerCase() }
}
