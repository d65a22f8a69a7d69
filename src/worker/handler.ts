/** A worker: the application over D1, what an isolate keeps of it, and its log. */
import type { D1Database } from '@cloudflare/workers-types'
import type { ExecutionContext, Hono } from 'hono'
import { createApp } from '../app.ts'
import { D1Driver } from '../backends/sqlite/d1.ts'
import { purgeHidden, SqliteStore } from '../backends/sqlite/store.ts'
import { StoreBackend } from '../backends/stored.ts'
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts'
import type { AppEnv } from '../routes/context.ts'
import { drain, readWorkersBody } from './body.ts'
import { toWorkersResponse, withClientEncoding } from './http.ts'

/** Bindings and variables of wrangler.toml. */
export interface Env {
  readonly DB: D1Database
  /** Largest body of a request, in MiB. @default 64 */
  readonly MCB_BODY_MIB?: string | number
}

export interface Worker {
  fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response>
  /** Completes deletions that were cut off. */
  scheduled(event: unknown, env: Env): Promise<void>
}

/** `extend` may mount further routes. */
export function createWorker(extend: (app: Hono<AppEnv>) => void = () => {}): Worker {
  let app: Hono<AppEnv> | undefined

  const open = (env: Env) => {
    const limits = limitsOf(env)
    const driver = new D1Driver(env.DB)
    const backends = new Map<string, StoreBackend>()
    const openBackend = (tenant: string) => {
      let backend = backends.get(tenant)
      if (backend === undefined) {
        backend = new StoreBackend(new SqliteStore(driver, tenant, limits), limits)
        backends.set(tenant, backend)
      }
      return backend
    }
    const opened = createApp({ openBackend, limits, readBody: readWorkersBody, report })
    extend(opened)
    return opened
  }

  const answer = async (incoming: Request, env: Env, context: ExecutionContext) => {
    app ??= open(env)
    const request = withClientEncoding(incoming)
    const response = await app.fetch(request, env, context)
    await drain(request)
    return toWorkersResponse(response, (error) => report(response.headers.get('X-Request-Id') ?? '', error))
  }

  return {
    fetch(request, env, context) {
      const answered = answer(request, env, context)
      // A client that goes away does not cut a write off in the middle, nor a deletion.
      context.waitUntil(answered.catch(() => undefined))
      return answered
    },
    async scheduled(_event, env) {
      await purgeHidden(new D1Driver(env.DB))
    },
  }
}

const MIB = 1024 * 1024

function limitsOf({ MCB_BODY_MIB = 64 }: Env): Limits {
  const mib = Number(MCB_BODY_MIB)
  if (!Number.isInteger(mib) || mib < 1) throw new Error(`MCB_BODY_MIB must be a whole number, not "${MCB_BODY_MIB}"`)
  return { ...DEFAULT_LIMITS, bodyBytes: mib * MIB, runMetaBytes: Math.min(mib * MIB, DEFAULT_LIMITS.runMetaBytes) }
}

/** One line, so that a log keeps it together: the error, what caused it, and where a defect lies. */
function report(requestId: string, error: unknown): void {
  const parts: string[] = []
  let last: unknown = error
  for (let cause: unknown = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    parts.push(String(cause))
    last = cause
  }
  const stack = last instanceof Error ? (last.stack ?? '').split('\n').slice(1, 5) : []
  console.error([requestId, parts.join(' <- '), ...stack].join(' ').replace(/\s+/g, ' '))
}
