/** What passes between the thread that serves HTTP and the thread that owns the SQLite file. */
import { type ErrorFields, isErrorCode, McbError } from '../../core/errors.ts'
import type { Store } from '../../core/store.ts'

export type Method = keyof Store

export interface Call {
  readonly id: number
  readonly tenant: string
  readonly method: Method
  readonly args: readonly unknown[]
}

/** Sent once by the host when the file is open, or when it could not be opened. */
export type Opened = { readonly opened: true } | { readonly opened: false; readonly why: string }

export interface Failure {
  readonly message: string
  readonly code?: string
  readonly fields?: ErrorFields
  readonly stack?: string | undefined
}

export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure }

export function toFailure(error: unknown): Failure {
  if (error instanceof McbError) {
    const cause = error.cause instanceof Error ? error.cause.message : undefined
    return { message: error.message, code: error.code, fields: error.fields, ...(cause && { stack: cause }) }
  }
  if (error instanceof Error) return { message: error.message, stack: error.stack }
  return { message: String(error) }
}

/** The error as it was thrown in the other thread. */
export function fromFailure({ message, code, fields, stack }: Failure): Error {
  if (isErrorCode(code)) return new McbError(code, message, fields, { cause: stack })
  return new Error(message, { cause: stack })
}
