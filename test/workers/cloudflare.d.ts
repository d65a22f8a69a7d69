/** Modules of workerd's test runner, as the tests of this folder use them. */
declare module 'cloudflare:workers' {
  export const env: import('../../src/worker/handler.ts').Env & {
    readonly RUNS: import('../../src/backends/durable/protocol.ts').RunNamespace &
      import('@cloudflare/workers-types').DurableObjectNamespace
    readonly DRAWS: import('@cloudflare/workers-types').R2Bucket
    readonly CATALOGUE: import('../../src/backends/durable/shard-protocol.ts').ShardNamespace &
      import('@cloudflare/workers-types').DurableObjectNamespace
    readonly MIGRATIONS: readonly { readonly name: string; readonly queries: readonly string[] }[]
  }
  /** The worker of wrangler.toml, as requests from outside reach it. */
  export const exports: { readonly default: { fetch(request: Request): Promise<Response> } }
}

declare module 'cloudflare:test' {
  type Migrations = typeof import('cloudflare:workers').env.MIGRATIONS
  export function applyD1Migrations(
    database: import('@cloudflare/workers-types').D1Database,
    migrations: Migrations,
  ): Promise<void>

  type Stub = import('@cloudflare/workers-types').DurableObjectStub
  type Id = import('@cloudflare/workers-types').DurableObjectId
  type State = import('@cloudflare/workers-types').DurableObjectState
  type RunObject = import('../../src/backends/durable/run-object.ts').RunObject
  /** `O` is the class of the object. */
  export function runInDurableObject<R, O = RunObject>(
    stub: Stub,
    callback: (instance: O, state: State) => R | Promise<R>,
  ): Promise<R>
  export function runDurableObjectAlarm(stub: Stub): Promise<boolean>
  export function evictDurableObject(stub: Stub): Promise<void>
  export function listDurableObjectIds(namespace: object): Promise<Id[]>
  export function createExecutionContext(): import('hono').ExecutionContext
}

/** A page as text: workerd reads no files. */
declare module '*.md?raw' {
  const text: string
  export default text
}
