/** Errors of a store that lives elsewhere, in a thread or a Durable Object: they cross as plain data. */
import { type ErrorFields, isErrorCode, McbError } from '../core/errors.ts'

export interface Failure {
  readonly message: string
  readonly code?: string
  readonly fields?: ErrorFields
  readonly stack?: string | undefined
}

/** Outcome of a call: its value, or its failure. */
export type Outcome<T> = { readonly value: T } | { readonly failure: Failure }

export async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() }
  } catch (error) {
    return { failure: toFailure(error) }
  }
}

/** The value of a call. @throws the error that the call threw at the other side */
export function resultOf<T>(outcome: Outcome<T>): T {
  if ('failure' in outcome) throw fromFailure(outcome.failure)
  return outcome.value
}

export function toFailure(error: unknown): Failure {
  if (error instanceof McbError) {
    const cause = error.cause instanceof Error ? error.cause.message : undefined
    return { message: error.message, code: error.code, fields: error.fields, ...(cause && { stack: cause }) }
  }
  if (error instanceof Error) return { message: error.message, stack: error.stack }
  return { message: String(error) }
}

/** The error as it was thrown at the other side. */
export function fromFailure({ message, code, fields, stack }: Failure): Error {
  if (isErrorCode(code)) return new McbError(code, message, fields, { cause: stack })
  return new Error(message, { cause: stack })
}
