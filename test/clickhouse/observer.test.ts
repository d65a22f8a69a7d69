/** The store on ClickHouse tells its observer of new draws. */
import { test } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { openDatabase } from '../support/clickhouse.ts'
import { expectObserved, Told } from '../support/observed.ts'

test.each(['gather', 'each'] as const)('draws that are new, with inserts by %s', async (inserts) => {
  const database = await openDatabase()
  const connection = new NodeConnection(database.options)
  const told = new Told()
  try {
    await expectObserved(new ClickHouseStore(connection, 'local', { inserts, observer: told }), told)
  } finally {
    await connection.close()
    await database.close()
  }
})
