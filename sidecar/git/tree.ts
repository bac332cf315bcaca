import { InitError } from '../init/init-error.ts'
import { broken } from './inflate.ts'
import type { Pack } from './pack.ts'

/** `module`: a commit of another repository. */
export type TreeEntry = { name: string; oid: string; kind: 'tree' | 'file' | 'link' | 'module' }

export type ReadTree = (oid: string) => Promise<TreeEntry[]>

/** Reads directories, `maxEntries` entries of them in all: a few objects can say that they lie in each other without end. */
export function createTreeReader(pack: Pack, maxEntries: number): ReadTree {
  let left = maxEntries
  return async (oid) => {
    const { kind, content } = await pack.read(oid)
    if (kind !== 'tree') throw broken()
    const entries: TreeEntry[] = []
    for (const entry of entriesOf(content)) {
      if (left-- === 0) throw new InitError(`its directories have more than ${maxEntries} entries; name a smaller part of the data`)
      entries.push(entry)
    }
    return entries
  }
}

const SPACE = 32
const OID_BYTES = 20

function* entriesOf(content: Buffer): Generator<TreeEntry> {
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(SPACE, at)
    const end = content.indexOf(0, space)
    if (space < 0 || end < 0 || end + 1 + OID_BYTES > content.length) throw broken()
    const name = content.toString('utf8', space + 1, end)
    if (!isSafe(name)) throw new InitError('the repository has a file whose path is not safe')
    yield { name, oid: content.toString('hex', end + 1, end + 1 + OID_BYTES), kind: kindOf(content.toString('latin1', at, space)) }
    at = end + 1 + OID_BYTES
  }
}

function kindOf(mode: string): TreeEntry['kind'] {
  if (/^0?40000$/.test(mode)) return 'tree'
  if (/^100[0-7]{3}$/.test(mode)) return 'file'
  if (mode === '120000') return 'link'
  if (mode === '160000') return 'module'
  throw broken()
}

/** What git's own checks refuse: names that lead elsewhere, and all that some file system takes for `.git`. Source: verify_path in git. */
function isSafe(name: string): boolean {
  const seen = name.replaceAll(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '')
  const onWindows = (seen.split(':')[0] ?? '').toLowerCase().replace(/[. ]+$/, '')
  return !/[\\/]/.test(name) && !['', '.', '..'].includes(seen) && onWindows !== '.git' && !/^\.?git~[1-9]$/.test(onWindows)
}

/** The commit that is meant, through a tag if it is one, and the directory of its files. */
export async function readCommit(pack: Pack, oid: string): Promise<{ oid: string; tree: string } | undefined> {
  let next = oid
  // A tag may be of a tag.
  for (let tags = 0; tags < 10 && pack.has(next); tags++) {
    const { kind, content } = await pack.read(next)
    const [, word, of = ''] = /^(object|tree) ([0-9a-f]{40})\n/.exec(content.toString('latin1', 0, 48)) ?? []
    if (kind === 'commit' && word === 'tree') return { oid: next, tree: of }
    if (kind !== 'tag' || word !== 'object') return undefined
    next = of
  }
  return undefined
}
