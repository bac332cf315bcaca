import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { createApp } from '#functions/app.ts'
import { LIKE, TEXTS } from '#functions/openapi-texts.ts'
import { openApiDocument } from '#functions/openapi.ts'
import { EXAMPLES } from '#functions/openapi-examples.ts'
import { ROUTES } from '#functions/openapi-routes.ts'
import { callOn, optionsOn, test, type Call } from '#functions/test-app.ts'
import { readCatalogue } from '#k8s-bridge/read-catalogue.ts'

type Schema = { description?: string; minimum?: number; maximum?: number; [key: string]: unknown }

/** The properties of all schemas, with the path to each. */
function* properties(name: string, schema: unknown, path = ''): Generator<{ name: string; path: string; property: Schema }> {
  if (typeof schema !== 'object' || schema === null) return
  for (const [key, value] of Object.entries(schema)) {
    if (key !== 'properties') yield* properties(name, value, path)
    else
      for (const [property, found] of Object.entries(value as Record<string, Schema>)) {
        const at = path === '' ? property : `${path}.${property}`
        yield { name, path: at, property: found }
        yield* properties(name, found, at)
      }
  }
}

const all = Object.entries(openApiDocument().components.schemas).flatMap(([name, schema]) => [...properties(name, schema)])

describe('the words of the API description', () => {
  // Guarantee: whoever reads /docs is told of each property what it is.
  test('has a description of every property of every schema: functions/openapi-*texts.ts', () => {
    expect(all.length).toBeGreaterThan(450)
    expect(all.filter(({ property }) => !property.description).map(({ name, path }) => `${name}.${path}`)).toEqual([])
    for (const { property } of all) expect(property.description).toMatch(/^\S.*[.]$/)
  })

  test('says nothing of what is not there', () => {
    const there = new Set(
      all.flatMap(({ name, path }) => {
        const base = name.replace(/Input$/, '')
        return [`${base}.${path}`, `${LIKE[base]}.${path}`]
      }),
    )
    const said = Object.entries(TEXTS).flatMap(([name, texts]) => Object.keys(texts).map((path) => `${name}.${path}`))
    expect(said.filter((at) => !there.has(at))).toEqual([])
  })

  test('shows no number that only says what a number can be', () => {
    expect(JSON.stringify(openApiDocument())).not.toMatch(/e\+\d\d|9007199254740991/)
  })

  test('has a description of every parameter, and an example of every body', () => {
    for (const operations of Object.values(openApiDocument().paths)) {
      for (const operation of Object.values(operations)) {
        const { parameters, requestBody } = operation as { parameters: Schema[]; requestBody?: { content: Record<string, Schema> } }
        for (const parameter of parameters) if (!('$ref' in parameter)) expect(parameter.description).toMatch(/\S/)
        if (requestBody) expect(Object.keys(requestBody.content['application/json']?.examples ?? {}).length).toBeGreaterThan(0)
      }
    }
  })
})

const withBody = ROUTES.filter(({ body }) => body !== undefined)
const requests = withBody.flatMap((route) =>
  Object.entries(EXAMPLES[route.example ?? route.body!] ?? {}).map(([name, { value }]) => ({ name, value, ...route })),
)

/** What a path with an id is about: made by the first example of its kind. */
async function pathOf(call: Call, path: string): Promise<string> {
  if (!path.includes(':id')) return path
  const collectionPath = path.slice(0, path.indexOf('/:id'))
  const maker = ROUTES.find((route) => route.method === 'post' && route.path === collectionPath)
  const [example] = Object.values(EXAMPLES[maker!.body!]!)
  return path.replace(':id', (await call('POST', `/${collectionPath}`, example!.value)).body.resource.id as string)
}

// Guarantee: what the page offers to send works as it stands.
describe('the examples of the API description', () => {
  test('are those of the routes with a body, and no others', () => {
    expect(withBody.length).toBeGreaterThan(8)
    expect(new Set(withBody.map(({ body, example }) => example ?? body))).toEqual(new Set(Object.keys(EXAMPLES)))
  })

  test.for(requests)('$method $path takes the example $name', async ({ method, path, value, success }, { db, tenant }) => {
    const options = await optionsOn(db, { mode: 'none' })
    await syncCatalogue(db, (await readCatalogue([join(import.meta.dirname, '../catalogue')])).catalogue, '0.0.0')
    const call = callOn(createApp(options), { 'X-Tenant': tenant, 'X-User': 'ann' })
    const { status, body } = await call(method.toUpperCase(), `/${await pathOf(call, path)}`, value)
    expect({ status, message: body?.message }).toEqual({ status: success.status, message: undefined })
    if (body?.items) for (const item of body.items) expect(item.status).toBe(202)
  })
})
