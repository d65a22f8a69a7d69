/** Settings of a run of the kit, as main hands them to the tests. */

export interface KitSettings {
  readonly driver: string
  /** Address of the server. */
  readonly url: string
  readonly token?: string | undefined
  /** Probability of a fault, 0 to 1. */
  readonly faults: number
  readonly seed: number
  /** Factor for numbers of rounds. */
  readonly scale: number
  /** Seconds that a driver may take for an answer. */
  readonly patience: number
  /** Topics that were asked for; all when empty. */
  readonly only: readonly string[]
  /** A file for the faults that were injected. */
  readonly injected: string
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly kit: KitSettings
  }
}
