/** The description of an error in /openapi.json, held against one that was provoked. */
import { expect } from 'vitest'
import { responseOf } from '../../src/http/openapi/openapi-document.ts'
import type { JsonSchema, OpenApi } from '../../src/http/openapi/types.ts'

/** Errors of addresses and methods belong to no operation. */
const NOBODYS = ['not_found', 'method_not_allowed']

interface Provoked {
  readonly status: number
  readonly headers: Headers
  /** Absent in answers to HEAD. */
  readonly problem?: { readonly [member: string]: unknown; readonly code?: unknown }
}

/** The operation that a request goes to must know its error: status, headers, code, and every member of the problem. */
export function expectDescribed(
  document: OpenApi,
  [method, path]: readonly [method: string, path: string, ...rest: unknown[]],
  { status, headers, problem }: Provoked,
): void {
  if (typeof problem?.code === 'string' && NOBODYS.includes(problem.code)) return
  const item = Object.entries(document.paths).find(([template]) => patternOf(template).test(path.split('?')[0] ?? ''))
  const described = item?.[1][method.toLowerCase()]?.responses[status]
  if (described === undefined) throw new Error(`${method} ${item?.[0]} has no answer ${status} in /openapi.json`)
  const answer = responseOf(document.components, described)
  for (const name of Object.keys(answer.headers)) {
    if (document.components.headers[name]?.required) expect(headers.has(name), `header ${name}`).toBe(true)
  }
  if (problem === undefined) return
  const reference = answer.content?.['application/problem+json']?.schema.$ref ?? ''
  const schema = document.components.schemas[reference.slice(reference.lastIndexOf('/') + 1)] ?? {}
  expect(schema.properties?.code?.enum).toContain(problem.code)
  expectMembers(schema, problem)
}

function expectMembers({ properties = {}, required = [] }: JsonSchema, problem: object): void {
  const members = Object.keys(problem)
  expect(Object.keys(properties)).toEqual(expect.arrayContaining(members))
  expect(members).toEqual(expect.arrayContaining([...required]))
}

function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}
