import type { z } from 'zod'
import { LIKE, TEXTS } from './openapi-texts.ts'

type Schema = z.core.JSONSchema._JSONSchema

/** What is said of a property; undefined: nothing. `name`: of its schema, which in a request may end in `Input`. */
function textOf(name: string, path: string): string | undefined {
  const base = name.replace(/Input$/, '')
  return TEXTS[base]?.[path] ?? TEXTS[LIKE[base] ?? '']?.[path]
}

/** Gives each property of a schema its description. */
export function describe(name: string, schema: Schema, path = ''): void {
  if (typeof schema === 'boolean') return
  const { properties = {}, items = [], additionalProperties = [], anyOf = [], oneOf = [], allOf = [] } = schema
  for (const [key, property] of Object.entries(properties)) {
    const at = path === '' ? key : `${path}.${key}`
    const text = textOf(name, at)
    if (text !== undefined && typeof property !== 'boolean') property.description = text
    describe(name, property, at)
  }
  for (const below of [items, additionalProperties, anyOf, oneOf, allOf].flat()) describe(name, below, path)
}
