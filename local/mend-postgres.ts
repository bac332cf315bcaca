import { readFile } from 'node:fs/promises'
import type { Plugin } from 'esbuild'

/**
 * The database driver (postgres 3.4.9) collects short writes and sends them in the next turn of the loop. A connection that closes in between leaves it
 * with a write to nothing, which ends the process (porsager/postgres#1208), and with a mark that says that a write is due, so that nothing
 * is ever sent on that connection again. Both happen when a database is started again, and no caller can catch or see them.
 *
 * Mended, such a write fails its statement, as any other on a connection that has closed. Bundles are mended as they are made, by `mendPostgres`;
 * sources as they are loaded, by `local/mended-sources.ts`.
 */

const REPAIRS = [
  [
    '    const x = socket.write(chunk, fn)\n',
    `    if (!socket) {
      nextWriteTimer !== null && clearImmediate(nextWriteTimer)
      chunk = nextWriteTimer = null
      error(Errors.connection('CONNECTION_CLOSED', options, socket))
      return false
    }
    const x = socket.write(chunk, fn)
`,
  ],
  [
    '    clearImmediate(nextWriteTimer)\n    if (socket) {',
    '    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    if (socket) {',
  ],
  [
    '    clearImmediate(nextWriteTimer)\n    socket.remove',
    '    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    socket.remove',
  ],
] as const

/** Throws if the driver is another one: then its new text is to be read, and this to be changed or removed. */
export function mendConnection(text: string): string {
  return REPAIRS.reduce((mended, [broken, repaired]) => {
    if (mended.split(broken).length !== 2)
      throw new Error(`The database driver has changed: local/mend-postgres.ts does not find ${JSON.stringify(broken)}`)
    return mended.replace(broken, () => repaired)
  }, text)
}

/** The file to be mended, as a path or an address: the driver's for Node, or its for workerd. */
export const CONNECTION_FILE = /[\\/]node_modules[\\/]postgres[\\/](cf[\\/])?src[\\/]connection\.js$/

export const mendPostgres: Plugin = {
  name: 'mend-postgres',
  setup(build) {
    build.onLoad({ filter: CONNECTION_FILE }, async ({ path }) => ({
      contents: mendConnection(await readFile(path, 'utf8')),
    }))
  },
}
