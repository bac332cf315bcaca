import fs from 'node:fs'
import { posix } from 'node:path'
import git, { type TreeEntry } from 'isomorphic-git'
import { InitError } from './init-error.ts'

/** A commit in a directory of git objects. */
export type Commit = { gitdir: string; oid: string; cache: object }

export type GitFile = { path: string; oid: string }

const symlinkMode = '120000'
const linksMax = 10

/**
 * The files below `subPath` of a commit, with paths from there. A symlink that leads to a file is that file; one that leads out of the
 * repository, to a directory or to nothing is refused. Nothing is checked out, so nothing can be written through a link.
 */
export async function* listGitFiles(commit: Commit, subPath: string): AsyncGenerator<GitFile> {
  const top = partsWithin(subPath)
  if (!top) throw new InitError(`sub_path ${subPath} leads out of the repository`)
  const readDirectory = cachedTrees(commit)
  const entries = await readDirectory(top)
  if (!entries) throw new InitError(`sub_path ${subPath} is no directory of the repository`)
  if (entries.some(({ path }) => path === '.gitmodules')) throw new InitError('the repository has submodules, which are not fetched')

  const waiting = [{ parts: top, entries }]
  for (let directory = waiting.pop(); directory; directory = waiting.pop()) {
    for (const entry of directory.entries) {
      const parts = [...directory.parts, entry.path]
      if (entry.type === 'tree') waiting.push({ parts, entries: await readTree(commit, entry.oid) })
      if (entry.type !== 'blob') continue
      const path = parts.slice(top.length).join('/')
      yield { path, oid: entry.mode === symlinkMode ? await followLink(commit, readDirectory, parts, entry.oid) : entry.oid }
    }
  }
}

const readTree = async ({ gitdir, cache }: Commit, oid: string) => (await git.readTree({ fs, gitdir, oid, cache })).tree

type ReadDirectory = (parts: readonly string[]) => Promise<TreeEntry[] | undefined>

/** Directories by their path; undefined for what is none. */
function cachedTrees(commit: Commit): ReadDirectory {
  const trees = new Map<string, Promise<TreeEntry[] | undefined>>()
  const find: ReadDirectory = async (parts) => {
    const name = parts.at(-1)
    if (name === undefined) return readTree(commit, commit.oid)
    const entry = (await read(parts.slice(0, -1)))?.find(({ path }) => path === name)
    return entry?.type === 'tree' ? readTree(commit, entry.oid) : undefined
  }
  const read: ReadDirectory = (parts) => {
    const key = parts.join('/')
    const known = trees.get(key) ?? find(parts)
    trees.set(key, known)
    return known
  }
  return read
}

async function followLink({ gitdir, cache }: Commit, read: ReadDirectory, link: string[], oid: string): Promise<string> {
  let [from, blob] = [link, oid]
  for (let links = 0; links < linksMax; links++) {
    const target = new TextDecoder().decode((await git.readBlob({ fs, gitdir, oid: blob, cache })).blob)
    const parts = target.startsWith('/') ? undefined : partsWithin(posix.join(...from.slice(0, -1), target))
    if (!parts) throw new InitError(`the symlink ${link.join('/')} leads out of the repository`)
    const entry = (await read(parts.slice(0, -1)))?.find(({ path }) => path === parts.at(-1))
    if (entry?.type !== 'blob') throw new InitError(`the symlink ${link.join('/')} leads to no file of the repository`)
    if (entry.mode !== symlinkMode) return entry.oid
    from = parts
    blob = entry.oid
  }
  throw new InitError(`the symlink ${link.join('/')} leads to more than ${linksMax} others`)
}

/** The parts of a relative path that stays inside; undefined if it does not. */
function partsWithin(path: string): string[] | undefined {
  if (path.startsWith('/')) return undefined
  const parts = posix
    .normalize(path === '' ? '.' : path)
    .split('/')
    .filter((part) => part !== '' && part !== '.')
  return parts[0] === '..' ? undefined : parts
}
