/** What workerd's own module gives to this folder. */
declare module 'cloudflare:workers' {
  export abstract class DurableObject<Env> {
    protected readonly ctx: import('@cloudflare/workers-types').DurableObjectState
    protected readonly env: Env
    constructor(ctx: import('@cloudflare/workers-types').DurableObjectState, env: Env)
  }
}
