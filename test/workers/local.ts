/** The D1 and the worker of this test process, and what it takes to use them as if they were elsewhere. */

import { createExecutionContext } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import type { D1Database } from '@cloudflare/workers-types'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { type BatchDatabase, D1Driver } from '../../src/sql/d1.ts'
import { createWorker, type Env } from '../../src/worker/handler.ts'

/**
 * Both answer without the process ever waiting for something outside, and until it does no timer fires: a test that
 * waits while others write would wait for ever. Over a network there is such a wait in every call; here, in some.
 */
let calls = 0
async function nextTurn(): Promise<void> {
  if (++calls % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 0))
}

export const database: BatchDatabase = {
  prepare: (sql) => env.DB.prepare(sql),
  batch: async (statements) => {
    await nextTurn()
    return env.DB.batch(statements)
  },
}

/** The bindings of a deployment without run objects. */
export const { RUNS: _, CATALOGUE: __, ...d1Only } = env

/** A worker with caches of its own, as another isolate has them. */
export function openWorker(bindings: Env): (request: Request) => Promise<Response> {
  const worker = createWorker()
  return async (request) => {
    await nextTurn()
    const answer = await worker.fetch(request, bindings, createExecutionContext())
    const isStream = new URL(request.url).pathname.endsWith('/events') && answer.body !== null
    return isStream ? new Response(sent(answer.body, request.signal), answer) : answer
  }
}

/** A stream as it comes over a network: it flows before it is read, and breaks when the request is aborted. */
function sent(body: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream(
    {
      start(controller) {
        signal.addEventListener('abort', () => {
          controller.error(signal.reason)
          void reader.cancel()
        })
      },
      async pull(controller) {
        const { done, value } = await reader.read()
        if (signal.aborted) return
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: () => reader.cancel(),
    },
    { highWaterMark: 16 },
  )
}

/** The worker of a deployment without run objects: D1 holds the draws. */
export const fetchD1Worker = openWorker(d1Only)

/** The worker of wrangler.toml. */
export async function fetchWorker(request: Request): Promise<Response> {
  await nextTurn()
  return exports.default.fetch(request)
}

/** With caches of its own, as another isolate has them. */
export function openBackend(): StoreBackend {
  return new StoreBackend(new SqliteStore(new D1Driver(database), 'local', DEFAULT_LIMITS))
}

/** Rows of all tables, counted from outside the storage. */
export async function countRows(db: D1Database = env.DB): Promise<number> {
  const { results: tables } = await db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
    .all<{ name: string }>()
  let rows = 0
  for (const { name } of tables) {
    if (/^(_cf_|sqlite_|d1_migrations)/.test(name)) continue
    rows += (await db.prepare(`SELECT count(*) AS n FROM "${name}"`).first<number>('n')) ?? 0
  }
  return rows
}
