// `npm run clickhouse:migrate`: makes the tables of migrations/clickhouse, or brings them to the present schema.
import { clickHouseOptions } from '../src/backends/clickhouse/clickhouse-settings.ts'
import { migrateDatabase } from '../src/node/clickhouse.ts'

if (process.argv.includes('--help')) {
  console.log(`usage: npm run clickhouse:migrate    applies migrations/clickhouse, each once

environment
  CLICKHOUSE_URL       address, as http://127.0.0.1:8123
  CLICKHOUSE_USER      user                                  [default]
  CLICKHOUSE_PASSWORD  password                              []
  CLICKHOUSE_DATABASE  database; made where it is missing    [mcbackend]`)
  process.exit(0)
}

try {
  const options = clickHouseOptions(process.env)
  const applied = await migrateDatabase(options)
  console.log(
    applied.length === 0
      ? `The database "${options.database}" is up to date.`
      : `Applied to "${options.database}": ${applied.join(', ')}`,
  )
} catch (error) {
  console.error(`clickhouse:migrate: ${error instanceof Error ? error.message : error}`)
  process.exit(1)
}
