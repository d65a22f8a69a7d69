/** Options of checks as callers give them. */

export interface CheckOptions {
  /** Ends the work; the checks reject with its reason. */
  readonly signal?: AbortSignal | undefined
}
