/** Settings of a run of the server's side, as main hands them to the tests. */

/** A server that was named, and what to test. */
export interface AskedServer {
  readonly server: string
  /** A key that may read, write and delete, where the server asks for keys. */
  readonly token?: string | undefined
  /** A stride through tables of cases that differ in nothing but numbers. */
  readonly every: number
  /** Topics that were asked for; all when empty. */
  readonly only: readonly string[]
}

export interface ServerSettings extends AskedServer {
  /** The reason that there are no keys to test; undefined where the server asks for one. */
  readonly whyNoKeys: string | undefined
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly server: ServerSettings
  }
}
