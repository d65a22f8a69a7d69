/** Parts of schemas in /openapi.json. */
import type { JsonSchema, JsonSchemas } from './types.ts'

export const text: JsonSchema = { type: 'string' }
export const flag: JsonSchema = { type: 'boolean' }
export const time: JsonSchema = {
  type: 'string',
  format: 'date-time',
  description: 'RFC 3339, in UTC, with milliseconds',
}
export const timeOrNull: JsonSchema = { type: ['string', 'null'], format: 'date-time' }
export const textOrNull: JsonSchema = { type: ['string', 'null'] }
export const int32: JsonSchema = { type: 'integer', format: 'int32', minimum: 0 }
export const int64: JsonSchema = { type: 'integer', format: 'int64', minimum: 0 }

export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` }
}

export function list(items: JsonSchema, more: JsonSchema = {}): JsonSchema {
  return { ...more, type: 'array', items }
}

/** An object that has all of these members. */
export function object(properties: JsonSchemas, more: JsonSchema = {}): JsonSchema {
  return { type: 'object', required: Object.keys(properties), properties, ...more }
}

/** An object that may have these members. */
export function partial(properties: JsonSchemas, more: JsonSchema = {}): JsonSchema {
  return { type: 'object', properties, ...more }
}

/** A body: no other members, and only some are required. */
export function body(required: readonly string[], properties: JsonSchemas, more: JsonSchema = {}): JsonSchema {
  return { type: 'object', additionalProperties: false, required: [...required], properties, ...more }
}
