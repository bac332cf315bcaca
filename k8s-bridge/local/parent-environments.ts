import { readFile } from 'node:fs/promises'

/**
 * Which of these variables a process shows to others of its user through the programs that started it: what is given to `npm start` stays in
 * the environments of npm and its shell, where the program itself cannot remove it. Names in the order given; none where there is no `/proc`.
 */
export async function shownByParents(names: readonly string[], pid = process.pid): Promise<string[]> {
  const shown = new Set<string>()
  for (let parent = await parentOf(pid); parent > 0; parent = await parentOf(parent)) {
    const environment = await readFile(`/proc/${parent}/environ`, 'utf8').catch(() => '') // Those of other users are closed.
    for (const name of names) {
      if (environment.split('\0').some((entry) => entry.length > name.length + 1 && entry.startsWith(`${name}=`))) shown.add(name)
    }
  }
  return names.filter((name) => shown.has(name))
}

/** 0 for the first process, and for what has ended. */
async function parentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^PPid:\t(\d+)$/m.exec(status)?.[1] ?? 0)
}
