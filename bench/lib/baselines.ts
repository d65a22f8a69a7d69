/**
 * Baselines of an append and a read: a sink that reads the same body, a log that stores it and nothing else, and a source that
 * sends as many bytes.
 */
import type { Hono } from 'hono'
import { DEFAULT_BOUNDS, DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { readWhole } from '../../src/http/body.ts'
import { BodyBudget } from '../../src/http/body-budget.ts'
import type { AppContext, AppEnv, ReadBody } from '../../src/http/context.ts'

const BLOCK = new Uint8Array(1024 * 1024).fill(7)

/** Stores bodies: resolves when that of the call is durable. */
export interface BodyLog {
  append(body: Uint8Array<ArrayBuffer>): Promise<void>
}

/** Mounts the null sink and the constant source, and the durable log where there is one. */
export function mountBaselines(app: Hono<AppEnv>, readBody: ReadBody, log?: BodyLog): void {
  const { bodiesBytes, tenantBodiesBytes } = DEFAULT_BOUNDS
  const bodies = new BodyBudget({ all: bodiesBytes, tenant: tenantBodiesBytes })
  const services = { readBody, bodies, bounds: DEFAULT_BOUNDS }
  const sink = (path: string, store: (body: Uint8Array<ArrayBuffer>) => Promise<void> | undefined) => {
    app.post(`/bench/${path}/:rid/chains/:chain/draws`, async (c: AppContext) => {
      const body = await readWhole(c, services, DEFAULT_LIMITS.bodyBytes, 'identity')
      const { length } = body
      await store(body)
      c.get('hold').release()
      return c.json({ chain: Number(c.req.param('chain')), length })
    })
  }
  sink('null', () => undefined)
  if (log !== undefined) sink('log', (body) => log.append(body))
  app.get('/bench/constant', (c) => {
    let left = Number(c.req.query('bytes'))
    c.header('Content-Type', 'application/x-protobuf')
    c.header('Content-Length', String(left))
    const stream = new ReadableStream({
      pull(controller) {
        if (left === 0) {
          controller.close()
          return
        }
        const block = BLOCK.subarray(0, Math.min(left, BLOCK.length))
        left -= block.length
        controller.enqueue(block)
      },
    })
    return c.body(stream)
  })
}
