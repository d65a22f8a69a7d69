/** Settings of ClickHouse: those of a deployment, and those that statements here bring with them. */
import type { ConnectionOptions, Settings } from './connection.ts'

type Environment = Readonly<{
  CLICKHOUSE_URL?: string | undefined
  CLICKHOUSE_USER?: string | undefined
  CLICKHOUSE_PASSWORD?: string | undefined
  CLICKHOUSE_DATABASE?: string | undefined
}>

/** @throws Error that names the variable which is missing or wrong */
export function clickHouseOptions(env: Environment): ConnectionOptions {
  const { CLICKHOUSE_URL: url, CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password, CLICKHOUSE_DATABASE } = env
  if (url === undefined || !URL.canParse(url)) {
    throw new Error('set CLICKHOUSE_URL to the address of ClickHouse, as http://127.0.0.1:8123')
  }
  const access = { ...(user !== undefined && { user }), ...(password !== undefined && { password }) }
  return { url, ...access, database: CLICKHOUSE_DATABASE ?? 'mcbackend' }
}

/** Milliseconds that small inserts wait for others: at most this many become parts in a second. */
export const GATHER_MS = 20

/** An insert that waits for no other: asynchronous ones are ClickHouse's default. */
export const AT_ONCE: Settings = { async_insert: 0 }

/** An insert as one block of any size: blocks appear one by one. */
export const ONE_BLOCK: Settings = { ...AT_ONCE, max_insert_block_size: 10_000_000, max_insert_threads: 1 }

/** An insert that ClickHouse brings together with others, and that is answered when it is stored. */
export const ON_SERVER: Settings = {
  async_insert: 1,
  wait_for_async_insert: 1,
  async_insert_use_adaptive_busy_timeout: 0,
  async_insert_busy_timeout_max_ms: GATHER_MS,
}

/** The end of a DELETE that waits until the rows are gone for every replica. */
export const WHEN_GONE = 'SETTINGS lightweight_deletes_sync = 2'
