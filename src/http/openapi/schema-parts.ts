/** Parts of schemas in /openapi.json. */
import type { Schema, Schemas } from './types.ts'

export const text: Schema = { type: 'string' }
export const flag: Schema = { type: 'boolean' }
export const time: Schema = { type: 'string', format: 'date-time', description: 'RFC 3339, in UTC, with milliseconds' }
export const timeOrNull: Schema = { type: ['string', 'null'], format: 'date-time' }
export const textOrNull: Schema = { type: ['string', 'null'] }
export const int32: Schema = { type: 'integer', format: 'int32', minimum: 0 }
export const int64: Schema = { type: 'integer', format: 'int64', minimum: 0 }

export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

export function list(items: Schema, more: Schema = {}): Schema {
  return { ...more, type: 'array', items }
}

/** An object that has all of these members. */
export function object(properties: Schemas, more: Schema = {}): Schema {
  return { type: 'object', required: Object.keys(properties), properties, ...more }
}

/** An object that may have these members. */
export function partial(properties: Schemas, more: Schema = {}): Schema {
  return { type: 'object', properties, ...more }
}

/** A body: no other members, and only some are required. */
export function body(required: readonly string[], properties: Schemas, more: Schema = {}): Schema {
  return { type: 'object', additionalProperties: false, required: [...required], properties, ...more }
}
