/** Tenants on ClickHouse, where all of them share the tables. */
import { vi } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'
import { openDatabase } from '../support/clickhouse.ts'
import { tenantStores } from '../tenants/stores.ts'

vi.setConfig({ testTimeout: 300_000 })

/** The marks of deletions, which end by themselves, are not counted. */
const ROWS = `SELECT (SELECT count() FROM runs WHERE tenant = {tenant:String})
  + (SELECT count() FROM about WHERE tenant = {tenant:String})
  + (SELECT count() FROM chunks WHERE tenant = {tenant:String})`

tenantStores({
  name: 'ClickHouse',
  keepsDraws: true,
  open: async () => {
    const database = await openDatabase()
    const connection = new NodeConnection(database.options)
    return {
      openStore: (tenant) => new ClickHouseStore(connection, tenant, { inserts: 'each' }),
      countRows: async (tenant) => Number(new RowReader(await connection.select(ROWS, { tenant })).uint64()),
      close: async () => {
        await connection.close()
        await database.close()
      },
    }
  },
})
