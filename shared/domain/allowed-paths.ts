import { z } from 'zod'

/**
 * Folders of a machine in which jobs may name files, and those below them in which they may not. Absolute, and free of links.
 *
 * A hub gives them to the adapters of its own machine as JSON in `EVALHUB_ALLOWED_PATHS`.
 */
export const AllowedPaths = z.object({ open: z.array(z.string()), closed: z.array(z.string()) })
export type AllowedPaths = z.infer<typeof AllowedPaths>

/** True for `folder` itself and all below it. Both are absolute and free of links and of `..`. */
export const isBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)

/** True if the nearest of the folders around `path` is an open one. `path` is absolute and free of links. */
export function isAllowed(path: string, { open, closed }: AllowedPaths): boolean {
  const nearest = (folders: readonly string[]) => Math.max(-1, ...folders.map((folder) => (isBelow(path, folder) ? folder.length : -1)))
  const opened = nearest(open)
  return opened >= 0 && opened >= nearest(closed)
}

/** For whoever named something else. */
export const HOW_TO_ALLOW =
  'A job may name what lies in the folder where the hub was started, in its catalogues and its data directory (but for runs and database), ' +
  'and in folders that its owner adds: --allow-path DIR, or ALLOW_PATHS of a bridge'
