import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

/** Lists the files of a repository whose trees are made as they are asked for, so that nothing takes memory but the list; in 96 MB. */
function list(treeOf: string): string {
  const program = `import { listGitFiles } from ${JSON.stringify(new URL('checkout.ts', import.meta.url).href)}
    const oid = (number) => String(number).padStart(40, '0')
    const entry = (mode, name, number) => Buffer.concat([Buffer.from(mode + ' ' + name + '\\0'), Buffer.from(oid(number), 'hex')])
    const [TREE, FILE, LINK] = ['40000', '100644', '120000']
    const times = (count, make) => Array.from({ length: count }, (_, at) => make(at))
    let targetOf
    const treeOf = (number) => { ${treeOf} }
    const LINKS = 1_000_000
    const pack = {
      sizeOf: () => 4000,
      read: async (name) => Number(name) < LINKS
        ? { kind: 'tree', content: Buffer.concat(treeOf(Number(name))) }
        : { kind: 'blob', content: Buffer.from(targetOf(Number(name) - LINKS)) },
    }
    let [count, longest] = [0, 0]
    for await (const { path } of listGitFiles({ pack, tree: oid(1) }, '', LINKS)) {
      count++
      longest = Math.max(longest, path.length)
    }
    console.log(count + ' files, ' + longest + ' bytes')`
  const options = { input: program, encoding: 'utf8' } as const
  return spawnSync(process.execPath, ['--max-old-space-size=96', '--input-type=module'], options).stdout
}

// Guarantee: what the paths of a repository take grows with its entries, and not with these times how long they are.
test('directories deep in each other, with many beside them, are listed in little memory', { timeout: 120_000 }, () => {
  const listed = list(`
    if (number === 0) return [entry(FILE, 'file', 0)]
    const below = number < 700 ? [entry(TREE, 'z', number + 1)] : []
    return [...times(240, (at) => entry(TREE, 'b' + at, 0)), ...below]`)
  expect(listed).toBe(`${700 * 240} files, ${2 * 699 + 'b239/file'.length} bytes\n`)
})

test('so are links that lead to as many places', { timeout: 120_000 }, () => {
  const listed = list(`
    const deep = times(15, () => 'd'.repeat(250)).join('/')
    targetOf = (at) => deep + '/' + 'b' + Math.floor(at / 150) + '/c' + at % 150 + '/file'
    if (number === 0) return [entry(FILE, 'file', 0)]
    if (number < 16) {
      const links = number === 1 ? times(45_000, (at) => entry(LINK, 'l' + at, LINKS + at)) : []
      return [...links, entry(TREE, 'd'.repeat(250), number + 1)]
    }
    if (number === 16) return times(300, (at) => entry(TREE, 'b' + at, 17))
    return times(150, (at) => entry(TREE, 'c' + at, 0))`)
  expect(listed).toBe(`90000 files, ${15 * 251 + 'b299/c149/file'.length} bytes\n`)
})
