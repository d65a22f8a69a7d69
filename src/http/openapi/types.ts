/** The parts of an OpenAPI 3.1 document, as far as this one has them (https://spec.openapis.org/oas/v3.1.1). */
import type { ErrorCode } from '../../core/errors.ts'

export interface Reference {
  readonly $ref: string
}

type Type = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null'

/** JSON Schema, draft 2020-12; members beside `$ref` narrow what that names. */
export interface JsonSchema {
  readonly $ref?: string
  readonly type?: Type | readonly Type[]
  readonly format?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly pattern?: string
  readonly contentEncoding?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly items?: JsonSchema
  readonly properties?: JsonSchemas
  readonly additionalProperties?: boolean | JsonSchema
  readonly required?: readonly string[]
  readonly oneOf?: readonly JsonSchema[]
  readonly not?: JsonSchema
}
export type JsonSchemas = Readonly<Record<string, JsonSchema>>

export interface Header {
  readonly description: string
  readonly required?: boolean
  readonly schema: JsonSchema
  readonly example?: unknown
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly description: string
  readonly required?: boolean
  readonly style?: 'form'
  readonly explode?: boolean
  readonly schema: JsonSchema
  readonly example?: unknown
}

interface MediaType {
  readonly schema: JsonSchema
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}
export type Content = Readonly<Record<string, MediaType>>

export interface RequestBody {
  readonly description?: string
  readonly required: boolean
  readonly content: Content
}

/** The description of an answer, by OpenAPI's name. */
export interface ResponseObject {
  readonly description: string
  readonly headers: Readonly<Record<string, Reference>>
  readonly content?: Content
}
/** Responses by status. */
export type Responses = Readonly<Record<string, ResponseObject | Reference>>

export interface OperationObject {
  readonly tags: readonly string[]
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly parameters: readonly Parameter[]
  readonly requestBody?: RequestBody
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly responses: Responses
}

export interface SecurityScheme {
  readonly type: 'http'
  readonly scheme: 'bearer' | 'basic'
  readonly description: string
}

export interface OpenApi {
  readonly openapi: string
  readonly info: {
    readonly title: string
    readonly version: string
    readonly summary: string
    readonly description: string
    readonly license: { readonly name: string; readonly identifier: string }
  }
  readonly servers: readonly { readonly url: string; readonly description: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, SecurityScheme>>
    readonly headers: Readonly<Record<string, Header>>
    readonly responses: Readonly<Record<string, ResponseObject>>
    readonly schemas: JsonSchemas
  }
}

/** A code, with its status where that is not the one of the table. */
export type CodeOrPlace = ErrorCode | { readonly code: ErrorCode; readonly status: number }

/** An operation's own description; facts that follow from its path, body and caller are not repeated. */
export interface Description {
  readonly tag: string
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: RequestBody
  /** Responses that are no errors. */
  readonly responses: Readonly<Record<string, ResponseObject>>
  readonly errors?: readonly CodeOrPlace[]
}
