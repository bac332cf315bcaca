import type { JSONValue, Parameter } from 'postgres'
import type { Db } from './client.ts'

/** `value` as one JSON parameter of a statement: no SQL array crosses the driver. Members that are undefined are left out. */
export const json = (db: Db, value: unknown): Parameter =>
  // The driver only calls JSON.stringify on it, which takes anything that came from JSON.
  db.json(value as JSONValue)
