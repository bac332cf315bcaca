import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { startEntry, type EntryProcess } from './entry-process.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

/** For each test of a file: a folder of its own, and the entries that it starts, which end before the folder is removed. */
export function ownEntries() {
  let folder = ''
  let started: EntryProcess[] = []
  beforeEach(async () => {
    folder = await makeFolder()
  })
  afterEach(async () => {
    await Promise.all(started.map((entry) => entry.stop()))
    started = []
    await removeFolder(folder)
  })
  return {
    inFolder: (name = '') => join(folder, name),
    start: async (entry: string, env: Record<string, string>): Promise<EntryProcess> => {
      const running = await startEntry(entry, env)
      started.push(running)
      return running
    },
  }
}
