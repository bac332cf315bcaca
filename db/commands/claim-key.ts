import { HubError } from '#shared/errors.ts'
import type { Db } from '../client.ts'
import type { Scope } from '../scope.ts'

/** What a client says to make a request repeatable. */
export type Idempotency = {
  key: string
  /** SHA-256 of the request as JSON without spaces, hexadecimal. */
  bodyHash: string
}

/** What is created below a key; each has keys of its own. */
export type KeyedRoute = 'jobs' | 'providers' | 'collections'

/**
 * Takes a key for `resourceId`, in the transaction that creates it, and answers the id that the key stands for: another one if it was taken before.
 *
 * A key is free again after 24 hours. Refuses one that was used with another body (`idempotency_key_reused`).
 */
export async function claimKey(tx: Db, scope: Scope, route: KeyedRoute, idempotency: Idempotency, resourceId: string): Promise<string> {
  const [claimed] = await tx`
    insert into evalhub.idempotency_keys as old (tenant, route, key, body_hash, resource_id)
    values (${scope.tenant}, ${route}, ${idempotency.key}, ${idempotency.bodyHash}, ${resourceId})
    on conflict (tenant, route, key) do update
      set body_hash = excluded.body_hash, resource_id = excluded.resource_id, expires_at = excluded.expires_at
      where old.expires_at <= now()
    returning resource_id`
  return claimed ? resourceId : ((await findKeyed(tx, scope, route, idempotency)) ?? resourceId)
}

/** The id that a key stands for; undefined if it is free. Refuses another body. */
export async function findKeyed(db: Db, scope: Scope, route: KeyedRoute, { key, bodyHash }: Idempotency): Promise<string | undefined> {
  const [row] = await db<{ body_hash: string; resource_id: string }[]>`
    select body_hash, resource_id from evalhub.idempotency_keys
    where tenant = ${scope.tenant} and route = ${route} and key = ${key} and expires_at > now()`
  if (row && row.body_hash !== bodyHash) throw HubError.of('idempotency_key_reused', { Key: key })
  return row?.resource_id
}

/** Forgets keys that are over a day old: those of one key, or all. */
export async function removeExpiredKeys(db: Db, scope?: Scope, key?: string): Promise<void> {
  await db`
    delete from evalhub.idempotency_keys
    where expires_at <= now() ${scope && key !== undefined ? db`and tenant = ${scope.tenant} and key = ${key}` : db``}`
}
