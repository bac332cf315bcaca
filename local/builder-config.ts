import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** Programs that build images, with the same arguments; the first that is there is taken. */
export const BUILDERS = ['podman', 'buildah', 'docker'] as const
export type Builder = (typeof BUILDERS)[number]

/** The program to build with: `asked`, or any. Throws a sentence that says what to do where it is not in `searchPath`. */
export async function builderOf(asked?: Builder, searchPath = process.env.PATH ?? ''): Promise<Builder> {
  const isThere = await Promise.all(BUILDERS.map((name) => isInstalled(name, searchPath)))
  const found = BUILDERS.filter((_, index) => isThere[index])
  const builder = asked === undefined ? found[0] : found.find((name) => name === asked)
  if (builder) return builder
  if (found.length === 0) throw new Error(`An image is built by ${BUILDERS.join(', ')}, and none of them is installed`)
  throw new Error(`${asked} is not installed: give --builder ${found.join(' or --builder ')}`)
}

async function isInstalled(name: string, searchPath: string): Promise<boolean> {
  const places = searchPath.split(delimiter).filter((folder) => folder !== '')
  const tries = places.map((folder) => access(join(folder, name), constants.X_OK))
  return Promise.any(tries).then(
    () => true,
    () => false,
  )
}
