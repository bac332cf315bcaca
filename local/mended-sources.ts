import { registerHooks } from 'node:module'
import { CONNECTION_FILE, mendConnection } from './mend-postgres.ts'

/** `node --import ./local/mended-sources.ts …`: a program run from its sources has its database driver mended (`local/mend-postgres.ts`). */

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const { source } = loaded
    if (!CONNECTION_FILE.test(url) || !source) return loaded
    return { ...loaded, source: mendConnection(typeof source === 'string' ? source : new TextDecoder().decode(source)) }
  },
})
