/** ClickHouse's migrations, from their folder. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ConnectionOptions } from '../backends/clickhouse/connection.ts'
import { type Migration, migrate } from '../backends/clickhouse/migrate.ts'
import { NodeConnection } from '../backends/clickhouse/node-connection.ts'

const FOLDER = fileURLToPath(new URL('../../migrations/clickhouse', import.meta.url))

export function clickHouseMigrations(): Migration[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.sql'))
  return names.sort().map((name) => ({ name, sql: readFileSync(`${FOLDER}/${name}`, 'utf8') }))
}

/** Makes the database if it is missing, and applies missing migrations. */
export async function migrateDatabase({ database = 'default', ...options }: ConnectionOptions): Promise<string[]> {
  const server = new NodeConnection(options)
  try {
    await server.command('CREATE DATABASE IF NOT EXISTS {database:Identifier}', { database })
  } finally {
    await server.close()
  }
  const connection = new NodeConnection({ ...options, database })
  try {
    return await migrate(connection, clickHouseMigrations())
  } finally {
    await connection.close()
  }
}
