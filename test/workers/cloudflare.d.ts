/** What the modules of workerd's test runner give to the tests of this folder. */
declare module 'cloudflare:workers' {
  export const env: import('../../src/worker/handler.ts').Env & {
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
  export function createExecutionContext(): import('hono').ExecutionContext
}
