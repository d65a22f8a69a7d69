/** Brings a database to the present schema: each migration once, in order; those that are there are left alone. */
import type { Connection } from './connection.ts'
import { addEarlierTerms } from './earlier-runs.ts'
import { RowReader } from './row-binary.ts'

export interface Migration {
  readonly name: string
  readonly sql: string
}

/** Stands among the migrations when runs of versions before have the terms of their attributes. */
const TERMS = 'terms of 0006_about'

const VERSIONS = `CREATE TABLE IF NOT EXISTS migrations (name String, applied DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = MergeTree ORDER BY name`

/** Applies missing migrations and resolves to their names. Statements may be repeated: one that was cut off goes on. */
export async function migrate(connection: Connection, migrations: readonly Migration[]): Promise<string[]> {
  await connection.command(VERSIONS, {})
  const applied = await appliedIn(connection)
  const missing = migrations.filter(({ name }) => !applied.has(name))
  for (const { name, sql } of missing) {
    for (const statement of statementsOf(sql)) await connection.command(statement, {})
    await mark(connection, name)
  }
  if (!applied.has(TERMS)) {
    await addEarlierTerms(connection)
    await mark(connection, TERMS)
  }
  return missing.map(({ name }) => name)
}

async function mark(connection: Connection, name: string): Promise<void> {
  await connection.command('INSERT INTO migrations (name) SELECT {name:String}', { name })
}

async function appliedIn(connection: Connection): Promise<Set<string>> {
  const reader = new RowReader(await connection.select('SELECT DISTINCT name FROM migrations', {}))
  const names = new Set<string>()
  while (reader.more()) names.add(reader.string())
  return names
}

/** The statements of a text, each of which ends with a semicolon at the end of a line. */
function statementsOf(sql: string): string[] {
  return sql
    .split(/;[ \t]*(?:\r?\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}
