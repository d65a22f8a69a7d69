/** The part of workerd's own module that this folder uses. */
declare module 'cloudflare:workers' {
  export abstract class DurableObject<Env> {
    protected readonly ctx: import('@cloudflare/workers-types').DurableObjectState
    protected readonly env: Env
    constructor(ctx: import('@cloudflare/workers-types').DurableObjectState, env: Env)
  }
}
