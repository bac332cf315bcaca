import type { Context } from 'hono'
import type { ExpectedVersions } from '#shared/domain/require-version.ts'
import type { AppEnv } from './env.ts'

/** The header that names a version of what is answered, for `If-Match` of a later request. */
export const entityTag = (version: string) => ({ ETag: `"${version}"` })

/** What `If-Match` asks for; undefined without one, and for `*`. Weak tags match nothing (RFC 9110, 13.1.1). */
export function expectedVersions(c: Context<AppEnv>): ExpectedVersions {
  const header = c.req.header('if-match')
  if (header === undefined || header.trim() === '*') return undefined
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.filter((tag) => tag.startsWith('"')).map((tag) => tag.slice(1, -1))
}

/** Where what was created can be read: below the path that created it. */
export const locationOf = (c: Context<AppEnv>, id: string) => ({ Location: `${c.req.path}/${id}` })
