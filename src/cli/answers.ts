/** Members of answers, of a server of any version, and JSON as `--json` prints it. */
import { isObject, type JsonObject, type JsonValue, jsonText } from '../core/json.ts'
import { oneLine } from '../core/log-text.ts'
import type { Cell } from './table.ts'

export function listIn(answer: JsonObject, member: string): JsonObject[] {
  const list = answer[member]
  return Array.isArray(list) ? list.map((value) => recordOf(value)) : []
}

export function recordOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {}
}

export function cell(value: JsonValue | undefined): Cell {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map((item) => (typeof item === 'string' ? item : jsonText(item))).join(',')
  return null
}

export function textIn(answer: JsonObject, member: string): string {
  return String(cell(answer[member]) ?? '')
}

/** JSON on several lines, of integers of any size. Characters that would steer a terminal are written as `\u001b`. */
export function printedJson(value: JsonValue, indent = ''): string {
  const inner = `${indent}  `
  if (Array.isArray(value) && value.length > 0) {
    return `[\n${value.map((item) => inner + printedJson(item, inner)).join(',\n')}\n${indent}]`
  }
  if (!isObject(value) || Object.keys(value).length === 0) return oneLine(jsonText(value))
  const members = Object.entries(value).map(
    ([name, member]) => `${inner}${oneLine(JSON.stringify(name))}: ${printedJson(member, inner)}`,
  )
  return `{\n${members.join(',\n')}\n${indent}}`
}
