import type { Context } from 'hono'
import type { ExpectedVersions } from '#shared/domain/require-version.ts'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from './env.ts'

/** The header that names a version of what is answered, for `If-Match` of a later request. */
export const entityTag = (version: string) => ({ ETag: `"${version}"` })

/** Versions that `If-Match` may name. */
const MAX_VERSIONS = 50

/** What `If-Match` asks for; undefined without one, and for `*`. Weak tags match nothing (RFC 9110, 13.1.1). */
export function expectedVersions(c: Context<AppEnv>): ExpectedVersions {
  const header = c.req.header('if-match')
  if (header === undefined || header.trim() === '*') return undefined
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? []
  if (tags.length > MAX_VERSIONS) {
    throw HubError.of('request_validation_failed', {
      Error: `If-Match names ${tags.length} versions, and at most ${MAX_VERSIONS} are compared`,
    })
  }
  return tags.filter((tag) => tag.startsWith('"')).map((tag) => tag.slice(1, -1))
}

/** Where what was created can be read: below the path that created it. */
export const locationOf = (c: Context<AppEnv>, id: string) => ({ Location: `${c.req.path}/${id}` })
