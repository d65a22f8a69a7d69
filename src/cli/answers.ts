/** Members of answers, of a server of any version. */
import type { JsonObject } from './server.ts'
import type { Cell } from './table.ts'

export function listIn(answer: JsonObject, member: string): JsonObject[] {
  const list = answer[member]
  return Array.isArray(list) ? list.map((value) => recordOf(value)) : []
}

export function recordOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

export function cell(value: unknown): Cell {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.join(',')
  return null
}
