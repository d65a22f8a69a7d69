/** Objects, D1 and the bucket, looked at past the code that fills them. */
import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { DurableObjectState } from '@cloudflare/workers-types'
import { tablesIn } from '../objects.ts'

/** Sizes in bytes of the objects whose keys begin with `prefix`, by their keys. */
export async function keysUnder(prefix = ''): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  for (let cursor: string | undefined; ; ) {
    const page = await env.DRAWS.list({ prefix, ...(cursor !== undefined && { cursor }) })
    for (const { key, size } of page.objects) sizes.set(key, size)
    if (!page.truncated) return sizes
    cursor = page.cursor
  }
}

/** Texts of all objects that are not empty: their tables, and the texts and numbers of their rows. */
export async function textsOfObjects(): Promise<string[]> {
  const texts: string[] = []
  const stubs = [
    ...(await listDurableObjectIds(env.RUNS)).map((id) => env.RUNS.get(id)),
    ...(await listDurableObjectIds(env.CATALOGUE)).map((id) => env.CATALOGUE.get(id)),
  ]
  for (const stub of stubs) {
    const text = await runInDurableObject(stub, (_, state) => textOf(state))
    if (text !== '') texts.push(text)
  }
  return texts
}

function textOf(state: DurableObjectState): string {
  const lines = tablesIn(state).map((name) => {
    const rows = state.storage.sql.exec(`SELECT * FROM "${name}"`).toArray()
    return `${name}: ${JSON.stringify(rows)}`
  })
  return lines.join('\n')
}

/** Text of all rows of D1. The table of tenants remembers the deleted ones for a week, without their names. */
export async function textOfD1(): Promise<string> {
  const { results: tables } = await env.DB.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all<{
    name: string
  }>()
  const lines: string[] = []
  for (const { name } of tables) {
    if (/^(_cf_|sqlite_|d1_migrations|tenants$)/.test(name)) continue
    const { results } = await env.DB.prepare(`SELECT * FROM "${name}"`).all()
    lines.push(`${name}: ${JSON.stringify(results)}`)
  }
  return lines.join('\n')
}
