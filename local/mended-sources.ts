import { registerHooks } from 'node:module'
import { CONNECTION_FILE, mendConnection } from './mend-postgres.ts'
import { nodeComplaint } from './node-version.ts'

/** `node --import ./local/mended-sources.ts …`: a program run from its sources has its database driver mended (`local/mend-postgres.ts`). */

const complaint = nodeComplaint(process.versions.node)
if (complaint !== undefined) {
  process.stderr.write(`${complaint}\n`)
  process.exit(1)
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const { source } = loaded
    if (!CONNECTION_FILE.test(url) || !source) return loaded
    return { ...loaded, source: mendConnection(typeof source === 'string' ? source : new TextDecoder().decode(source)) }
  },
})
