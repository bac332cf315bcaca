import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createApp } from '#functions/app.ts'
import { openApiDocument } from '#functions/openapi.ts'
import { ROUTES } from '#functions/openapi-routes.ts'
import type { Store } from '#db/store.ts'

const app = createApp({
  storeOf: () => ({}) as Store, // no route is called
  identity: { mode: 'none' },
  log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  now: () => new Date(0),
  newId: () => '',
  newRequestId: () => '',
  maxBodyBytes: 0,
  findDocsFile: async () => new Uint8Array(),
})

/** Not described: the description itself, the page that shows it, and the one that leads there. */
const UNDESCRIBED = ['/', '/welcome.css', '/openapi.yaml', '/openapi.json', '/docs', '/docs/:file']

const registered = new Set(
  app.routes.filter(({ method, path }) => method !== 'ALL' && !UNDESCRIBED.includes(path)).map(({ method, path }) => `${method} ${path}`),
)
const described = new Set(ROUTES.map(({ method, path }) => `${method.toUpperCase()} ${path}`))

describe('the API description', () => {
  test('is the committed one: run `npm run gen` after a change', () => {
    const committed = readFileSync(join(import.meta.dirname, '../docs/openapi.json'), 'utf8')
    expect(committed).toBe(`${JSON.stringify(openApiDocument(), null, 2)}\n`)
  })

  test('has every route of the app, and no other', () => {
    expect([...described].sort()).toEqual([...registered].sort())
  })

  test('refers only to what it has', () => {
    const { components } = openApiDocument()
    const references = JSON.stringify(openApiDocument()).matchAll(/"#\/components\/(\w+)\/(\w+)"/g)
    const missing = [...references].filter(([, kind, name]) => !(components as Record<string, object>)[kind!]?.hasOwnProperty(name!))
    expect(missing).toEqual([])
  })

  test('has a schema for every model that it could repeat', () => {
    const { schemas } = openApiDocument().components
    expect(schemas).toMatchObject({
      EvaluationJobPage: { properties: { items: { items: { $ref: '#/components/schemas/EvaluationJob' } } } },
      EvaluationJobConfig: { properties: { model: { $ref: '#/components/schemas/ModelRefInput' } } },
      EvaluationJob: { properties: { model: { $ref: '#/components/schemas/ModelRef' } } },
    })
    // What may be left out of a request is there in an answer.
    expect(schemas).toMatchObject({ ModelRefInput: { required: ['name'] }, ModelRef: { required: ['url', 'name'] } })
    expect(JSON.stringify(schemas)).not.toContain('"additionalProperties":false')
  })

  test('says of every answer that it carries the request’s id, and begins as the published one', () => {
    const answers = Object.values(openApiDocument().paths).flatMap((path) =>
      Object.values(path).flatMap((operation) =>
        Object.values((operation as { responses: Record<string, { headers: object }> }).responses),
      ),
    )
    expect(answers.length).toBeGreaterThan(100)
    for (const { headers } of answers) expect(headers).toHaveProperty('X-Global-Transaction-Id')
    expect(Object.keys(openApiDocument())[0]).toBe('openapi')
    expect(openApiDocument()).toBe(openApiDocument())
  })

  test('names each operation once', () => {
    const ids = Object.values(openApiDocument().paths).flatMap((path) =>
      Object.values(path).map((operation) => (operation as { operationId: string }).operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })
})
