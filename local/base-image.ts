/** What an image is built on: one that a digest names, or one of this machine. */
export type BaseImage = { base?: string | undefined; 'local-base'?: string | undefined }

const PINNED = /^[^\s@]+@sha256:[0-9a-f]{64}$/
const LOCAL = /^localhost\/[^\s@]+$/

/**
 * The image to build `tag` on. For a release it is `base`, which a digest must name: a tag may be another image tomorrow. On a `local-base`, which only this
 * machine has, nothing can be built but what is as local. Throws one sentence that says what to give.
 */
export function baseImageOf({ base, 'local-base': localBase }: BaseImage, tag: string): string {
  if (base !== undefined && localBase === undefined) {
    if (PINNED.test(base)) return base
    throw new Error(`--base must be NAME@sha256:DIGEST, with 64 hexadecimal digits, and is '${base}'`)
  }
  if (localBase === undefined || base !== undefined) {
    throw new Error('Give either --base NAME@sha256:DIGEST, for a release, or --local-base localhost/NAME:TAG')
  }
  if (!LOCAL.test(localBase)) throw new Error(`--local-base must be an image of this machine, localhost/NAME:TAG, and is '${localBase}'`)
  if (!LOCAL.test(tag)) throw new Error(`What is built on a local base stays local: --tag must be localhost/NAME:TAG, and is '${tag}'`)
  return localBase
}
