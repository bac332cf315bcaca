import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Events that must not be lost, on a disk that outlives the process. */
export type Spool = {
  /** Resolves with a name once `text` will be found after a crash of the process or the machine. */
  keep: (text: string) => Promise<string>
  forget: (name: string) => Promise<void>
}

const FILE = /^\d{9}\.json$/

/** Opens the spool in a directory, and gives what an earlier process left there, oldest first. What it did not finish writing was never promised. */
export async function openSpool(directory: string): Promise<{ spool: Spool; left: { name: string; text: string }[] }> {
  await mkdir(directory, { recursive: true })
  const names = (await readdir(directory)).filter((name) => FILE.test(name)).sort()
  const left = await Promise.all(names.map(async (name) => ({ name, text: await readFile(join(directory, name), 'utf8') })))
  let last = Number.parseInt(names.at(-1) ?? '0', 10)
  const spool: Spool = {
    async keep(text) {
      last++
      const name = `${String(last).padStart(9, '0')}.json`
      const draft = join(directory, `${name}.draft`)
      await writeDurably(draft, text)
      await rename(draft, join(directory, name))
      await syncDirectory(directory)
      return name
    },
    forget: (name) => unlink(join(directory, name)),
  }
  return { spool, left }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Without this the file is on the disk and its name may not be. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
