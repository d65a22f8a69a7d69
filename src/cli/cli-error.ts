/** Errors that are told in one sentence; everything else is a defect and keeps its stack. */
import { isMcbError } from '../core/errors.ts'

export class CliError extends Error {
  override readonly name: string = 'CliError'
  /** Exit code of the process. */
  readonly exitCode: number = 1
  /** Code of the protocol, where a server has refused. */
  readonly code: string | undefined

  constructor(message: string, code?: string) {
    super(message)
    this.code = code
  }
}

/** Arguments that cannot be meant. */
export class UsageError extends CliError {
  override readonly name = 'UsageError'
  override readonly exitCode = 2
}

const ADVICE: Readonly<Record<string, string>> = {
  unauthorized: 'run "mcb login" with a key that is valid, or set MCB_TOKEN',
  forbidden: "it needs another key, or the operator's token",
  tenant_suspended: 'ask the operator',
  tenant_not_found: '"mcb tenants" lists those there are',
  key_not_found: '"mcb keys" lists those there are',
  run_not_found: '"mcb runs" lists those there are',
  storage_unavailable: 'is MCB_URL right, and does the server run?',
}

/** A server's refusal as a sentence for the user, with the thing to do. */
export function refusal(detail: string, code: string | undefined, retryAfter: string | undefined): CliError {
  const wait = retryAfter === undefined ? undefined : `try again in ${retryAfter} s`
  const advice = wait ?? (code === undefined ? undefined : ADVICE[code])
  return new CliError([detail, advice].filter(Boolean).join('; '), code)
}

/** Errors that are told in one sentence; undefined for a defect. */
export function toldError(error: unknown): CliError | undefined {
  if (error instanceof CliError) return error
  if (!isMcbError(error)) return undefined
  const { retryAfter } = error.fields
  return refusal(error.message, error.code, retryAfter === undefined ? undefined : String(retryAfter))
}
