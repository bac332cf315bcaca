import { posix } from 'node:path'
import type { Pack } from './pack.ts'
import { createTreeReader, type ReadTree, type TreeEntry } from './tree.ts'
import { InitError } from '../init/init-error.ts'

/** A directory of files, and the pack that has them. */
export type Commit = { pack: Pack; tree: string }

export type GitFile = { path: string; oid: string }

const linksMax = 10
/** As file systems have it. */
const pathBytesMax = 4096

/**
 * The files below `subPath` of a commit, with paths from there. A symlink that leads to a file is that file; one that leads out of the
 * repository, to a directory or to nothing is refused. Nothing is checked out, so nothing can be written through a link.
 */
export async function* listGitFiles({ pack, tree }: Commit, subPath: string, maxEntries: number): AsyncGenerator<GitFile> {
  const top = partsWithin(subPath)
  if (!top) throw new InitError(`sub_path ${subPath} leads out of the repository`)
  const readTree = createTreeReader(pack, maxEntries)
  const readDirectory = directoriesOf(tree, readTree)
  const first = await readDirectory(top)
  if (!first) throw new InitError(`sub_path ${subPath} is no directory of the repository`)
  if (first.some(({ name }) => name === '.gitmodules')) throw new InitError('the repository has submodules, which are not fetched')

  // A path is kept as the end of another, and not as a copy of it: hundreds of thousands may wait, of 4096 bytes each.
  const waiting = [{ prefix: '', prefixBytes: 0, read: async () => first }]
  for (let directory = waiting.pop(); directory; directory = waiting.pop()) {
    for (const { name, oid, kind } of await directory.read()) {
      const path = directory.prefix + name
      const pathBytes = directory.prefixBytes + Buffer.byteLength(name)
      if (pathBytes > pathBytesMax) throw new InitError(`the repository has a path of more than ${pathBytesMax} bytes`)
      if (kind === 'tree') waiting.push({ prefix: `${path}/`, prefixBytes: pathBytes + 1, read: () => readTree(oid) })
      if (kind === 'file') yield { path, oid }
      if (kind === 'link') yield { path, oid: await followLink(pack, readDirectory, [...top, ...path.split('/')], oid) }
    }
  }
}

type ReadDirectory = (parts: readonly string[]) => Promise<TreeEntry[] | undefined>

type Directory = { entries: Promise<TreeEntry[]>; below: Map<string, Directory> }

/** Directories by their path, each read once; undefined for what is none. */
function directoriesOf(root: string, readTree: ReadTree): ReadDirectory {
  const directoryAt = (oid: string): Directory => ({ entries: readTree(oid), below: new Map() })
  const top = directoryAt(root)
  return async (parts) => {
    let directory = top
    for (const part of parts) {
      let next = directory.below.get(part)
      if (!next) {
        const entry = (await directory.entries).find(({ name }) => name === part)
        if (entry?.kind !== 'tree') return undefined
        next = directoryAt(entry.oid)
        directory.below.set(part, next)
      }
      directory = next
    }
    return directory.entries
  }
}

async function followLink(pack: Pack, read: ReadDirectory, link: string[], oid: string): Promise<string> {
  let [from, blob] = [link, oid]
  for (let links = 0; links < linksMax; links++) {
    const isPath = pack.sizeOf(blob) <= pathBytesMax
    const target = isPath ? (await pack.read(blob)).content.toString() : '/'
    const parts = target.startsWith('/') ? undefined : partsWithin(posix.join(...from.slice(0, -1), target))
    if (!parts) throw new InitError(`the symlink ${link.join('/')} leads out of the repository`)
    const entry = (await read(parts.slice(0, -1)))?.find(({ name }) => name === parts.at(-1))
    if (entry?.kind === 'file') return entry.oid
    if (entry?.kind !== 'link') throw new InitError(`the symlink ${link.join('/')} leads to no file of the repository`)
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
