import fs from 'node:fs'
import { join } from 'node:path'
import git, { type ServerRef } from 'isomorphic-git'
import { readCredential } from './credentials.ts'
import type { Download } from './download.ts'
import { listGitFiles, type Commit } from './git-checkout.ts'
import { createGitHttp, type GitHttp } from './git-http.ts'
import type { Authorization } from './guarded-request.ts'
import type { GitSource } from './init-config.ts'
import { InitError } from './init-error.ts'

/** Fetches one commit of a repository and copies its files; the commit is the answer. */
export async function downloadGit({ url, ref, subPath, maxPackBytes }: GitSource, download: Download): Promise<string> {
  const { staging, agents, signal } = download
  const repository = plainUrl(url)
  const http = createGitHttp({
    url: repository,
    agents,
    signal,
    maxBytes: maxPackBytes,
    authorization: await authorizationFor(url, download),
  })
  try {
    const commit = await fetchCommit({ repository, ref, http, gitdir: join(staging.scratch, 'git') })
    for await (const { path, oid } of listGitFiles(commit, subPath)) {
      const { blob } = await git.readBlob({ fs, gitdir: commit.gitdir, oid, cache: commit.cache })
      await staging.save(path, piecesOf(blob), signal)
    }
    return commit.oid
  } catch (error) {
    throw http.failure() ?? explained(error)
  }
}

/** As isomorphic-git is given it, and as it may be shown. */
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

type Fetch = { repository: string; ref: string; http: GitHttp; gitdir: string }

async function fetchCommit({ repository: url, ref, http, gitdir }: Fetch): Promise<Commit> {
  const cache = {}
  const found = chooseRef(await git.listServerRefs({ http, url, protocolVersion: 1 }), ref)
  await git.init({ fs, gitdir, bare: true })
  await git.addRemote({ fs, gitdir, remote: 'origin', url })
  const common = { fs, http, gitdir, cache, url, remote: 'origin' }
  const commitOf = async (oid: string) => ({ gitdir, cache, oid: (await git.readCommit({ fs, gitdir, cache, oid })).oid })

  if ('name' in found) {
    const { fetchHead } = await git.fetch({ ...common, ref: found.name, singleBranch: true, depth: 1 })
    return commitOf(fetchHead ?? '')
  }
  if (found.sha.length === 40) {
    // Most servers give any commit they have. One that does not, gives all of them below.
    const alone = await git
      .fetch({ ...common, ref: found.sha, singleBranch: true, depth: 1 })
      .then(() => commitOf(found.sha))
      .catch(() => undefined)
    if (alone) return alone
    if (http.failure()) throw http.failure()
  }
  await git.fetch({ ...common, ref: found.any, singleBranch: false, tags: true })
  return commitOf(await git.expandOid({ fs, gitdir, cache, oid: found.sha }))
}

/** A branch beats a tag of the same name; what is neither may be the beginning of a commit's name. */
function chooseRef(refs: readonly Pick<ServerRef, 'ref'>[], ref: string): { name: string } | { sha: string; any: string } {
  const names = refs.map((known) => known.ref)
  const name = [`refs/heads/${ref}`, `refs/tags/${ref}`].find((candidate) => names.includes(candidate))
  if (name !== undefined) return { name }
  const [any] = names
  if (any === undefined) throw new InitError('the repository is empty')
  if (!/^[0-9a-f]{7,40}$/i.test(ref))
    throw new InitError('it has no such branch or tag, and a commit is named by 7 to 40 hexadecimal digits')
  return { sha: ref.toLowerCase(), any }
}

/** In words for the user, of what isomorphic-git throws. */
function explained(error: unknown): unknown {
  if (error instanceof git.Errors.HttpError) {
    const { statusCode } = error.data
    const isRefusal = statusCode === 401 || statusCode === 403 || statusCode === 404
    const hint = isRefusal ? 'check the url, and the Secret with username and password if the repository is not public' : 'try again'
    return new InitError(`the server answered ${statusCode}; ${hint}`, { cause: error })
  }
  if (error instanceof git.Errors.SmartHttpError)
    return new InitError('the server does not answer as git does; check the url', { cause: error })
  if (error instanceof git.Errors.AmbiguousError)
    return new InitError('ref is the beginning of several commits; give more digits', { cause: error })
  if (error instanceof git.Errors.NotFoundError || error instanceof git.Errors.ObjectTypeError) {
    return new InitError('it has no such commit; check ref', { cause: error })
  }
  if (error instanceof git.Errors.UnsafeFilepathError)
    return new InitError('the repository has a file whose path is not safe', { cause: error })
  return error
}

const pieceBytes = 1024 * 1024

async function* piecesOf(blob: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.length; at += pieceBytes) yield blob.subarray(at, at + pieceBytes)
}
