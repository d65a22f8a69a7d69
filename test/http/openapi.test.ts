/** /openapi.json: it is committed, whole, and of names that generated clients can live with. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { responseOf } from '../../src/http/openapi/openapi-document.ts'
import type { OpenApi, OperationObject, ResponseObject } from '../../src/http/openapi/types.ts'
import { jsonOf, newApp } from './api.ts'

const document: OpenApi = await jsonOf(await newApp().api.get('/openapi.json'))

const operations: readonly OperationObject[] = Object.values(document.paths).flatMap((item) => Object.values(item))
const answers: readonly (readonly [string, ResponseObject])[] = operations.flatMap(({ operationId, responses }) =>
  Object.entries(responses).map(
    ([status, answer]) => [`${operationId} ${status}`, responseOf(document.components, answer)] as const,
  ),
)

test('docs/openapi.json is what servers give', () => {
  const committed: unknown = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'))
  expect(committed, 'out of date: run npm run generate').toEqual(document)
})

test('every reference leads somewhere, and nothing is left over', () => {
  const text = JSON.stringify(document)
  const used = new Set([...text.matchAll(/"\$ref":"#\/components\/([^"]+)"/g)].map(([, name]) => name))
  const { securitySchemes: _schemes, ...parts } = document.components
  const there = Object.entries(parts).flatMap(([part, all]) => Object.keys(all).map((name) => `${part}/${name}`))
  expect([...used].sort()).toEqual(there.sort())
})

test('every answer in JSON has a schema with a name, and every answer a request id', () => {
  for (const [what, { content = {}, headers }] of answers) {
    expect(headers, what).toHaveProperty('X-Request-Id')
    for (const [type, { schema }] of Object.entries(content)) {
      if (type.endsWith('json')) expect(schema, what).toHaveProperty('$ref')
    }
  }
})

test('a name is used once, and none is what a generated client calls something else', () => {
  const schemas = Object.keys(document.components.schemas)
  const ids = operations.map(({ operationId }) => operationId)
  expect(new Set(ids).size).toBe(ids.length)
  const folded = (name: string) => name.toLowerCase()
  const made = [
    // Go: constructors of models, and a type a request; many: an API a tag.
    ...schemas.flatMap((name) => [`New${name}`, `New${name}WithDefaults`, `Nullable${name}`]),
    ...ids.map((id) => `Api${id}Request`),
    ...document.tags.flatMap(({ name }) => [`${name}Api`, `${name}APIService`]),
    // Types of the languages themselves, and of the libraries that generators bring.
    ...['Error', 'Map', 'List', 'Key', 'String', 'Object', 'File', 'Response', 'Request', 'Configuration', 'Client'],
  ].map(folded)
  expect(schemas.filter((name) => made.includes(folded(name)))).toEqual([])
  expect(new Set(schemas.map(folded)).size).toBe(schemas.length)
})

test('HEAD is where GET is, and has its answers without their bodies', () => {
  for (const item of Object.values(document.paths)) {
    expect(Object.keys(item.head?.responses ?? {})).toEqual(Object.keys(item.get?.responses ?? {}))
    for (const answer of Object.values(item.head?.responses ?? {})) {
      expect(responseOf(document.components, answer)).not.toHaveProperty('content')
    }
  }
})
