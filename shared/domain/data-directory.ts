import type { AllowedPaths } from './allowed-paths.ts'

/** A job's folder in the runs of a hub: `jobs/ID/INDEX`. */
const RUN = /^\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\/\d+(\/|$)/

/**
 * `allowed`, and closed in it whatever hub's runs and database `path` lies in: each hub, whoever's, keeps them in the folders `jobs` and
 * `postgres` of its data directory, which may lie anywhere. A database is known by its files, runs by their ids or by a database beside
 * them. `path` is absolute and free of links; `exists` looks at the machine.
 */
export async function withClosed(path: string, allowed: AllowedPaths, exists: (path: string) => Promise<boolean>): Promise<AllowedPaths> {
  const isDatabase = async (folder: string) => (await exists(`${folder}/password`)) && (await exists(`${folder}/data/PG_VERSION`))
  const isOfHub = async (folder: string) => {
    if (!folder.endsWith('/jobs')) return isDatabase(folder)
    return RUN.test(path.slice(folder.length)) || isDatabase(`${folder.slice(0, -'/jobs'.length)}/postgres`)
  }
  const folders = foldersAround(path)
  const isClosed = await Promise.all(folders.map(isOfHub))
  return { ...allowed, closed: [...allowed.closed, ...folders.filter((_, index) => isClosed[index])] }
}

/** `/a/b` of `/a/b` too, and `/a`. */
function foldersAround(path: string): string[] {
  const names = path.split('/').slice(1)
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
}
