/** Calls and statements that the list of runs takes, counted where the platform is called, for all objects of this process. */
import { env } from 'cloudflare:workers'
import type { D1Database, DurableObjectState } from '@cloudflare/workers-types'
import type { Hono } from 'hono'
import { CatalogueObject, type CatalogueObjectEnv } from '../../src/backends/durable/catalogue-object.ts'
import type { AppEnv } from '../../src/http/context.ts'

/** Announcements that catalogue objects have received, statements in them, those of them that write, and statements to D1. */
const counts = { calls: 0, statements: 0, writes: 0, d1: 0 }

export class CountedCatalogue extends CatalogueObject {
  constructor(ctx: DurableObjectState, bindings: CatalogueObjectEnv) {
    const { sql } = ctx.storage
    const exec = sql.exec.bind(sql)
    sql.exec = (...args) => {
      counts.statements++
      if (!/^\s*SELECT\b/i.test(args[0])) counts.writes++
      return exec(...args)
    }
    super(ctx, bindings)
  }

  override put(...args: Parameters<CatalogueObject['put']>): ReturnType<CatalogueObject['put']> {
    counts.calls++
    return super.put(...args)
  }
}

export function countD1(): void {
  const database: D1Database = Object.getPrototypeOf(env.DB)
  const { prepare } = database
  database.prepare = function (this: D1Database, sql) {
    counts.d1++
    return prepare.call(this, sql)
  }
}

export function mountCounts(app: Hono<AppEnv>): void {
  app.get('/bench/counts', (c) => c.json(counts))
}
