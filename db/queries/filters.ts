import type { Filter } from '#shared/domain/list-filter.ts'
import type { PendingQuery, Row } from 'postgres'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import type { Groups } from './in-groups.ts'

export type Fragment = PendingQuery<Row[]>

/** A page of a list: `limit` 0 means all. */
export type Slice = { limit: number; offset: number }

/** Some of the things that a list has, and how many it has in all. */
export type Listed<Item> = Groups<Item> & { total: number }

/** `and` with a condition on a text column; nothing without a filter. */
export function matching(db: Db, column: Fragment, filter: Filter | undefined): Fragment {
  if (!filter) return db``
  const matches = anyOrAll(db, column, filter)
  return filter.negated ? db`and not (${matches})` : db`and ${matches}`
}

function anyOrAll(db: Db, column: Fragment, { mode, values }: Filter): Fragment {
  // By itself a value can be looked up in an index.
  if (new Set(values).size === 1) return db`${column} = ${values[0] ?? ''}`
  const wanted = db`(select jsonb_array_elements_text(${json(db, values)}))`
  return mode === 'any' ? db`${column} = any ${wanted}` : db`${column} = all ${wanted}`
}

/** `and` with a condition on a column that holds a JSON array of text. */
export function containing(db: Db, column: Fragment, filter: Filter | undefined): Fragment {
  if (!filter) return db``
  if (filter.mode === 'all') return db`and ${column} @> ${json(db, filter.values)}`
  return db`and ${column} ?| array(select jsonb_array_elements_text(${json(db, filter.values)}))`
}

export const sliced = (db: Db, { limit, offset }: Slice): Fragment => db`limit ${limit} offset ${offset}`
