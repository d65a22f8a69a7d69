/** A ClickHouse for the tests inside workerd, which can start nothing. */
import type { TestProject } from 'vitest/node'
import { openDatabase } from '../../support/clickhouse.ts'

declare module 'vitest' {
  interface ProvidedContext {
    readonly clickhouse: {
      readonly CLICKHOUSE_URL: string
      readonly CLICKHOUSE_USER: string
      readonly CLICKHOUSE_PASSWORD: string
      readonly CLICKHOUSE_DATABASE: string
    }
  }
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const { options, close } = await openDatabase()
  provide('clickhouse', {
    CLICKHOUSE_URL: options.url,
    CLICKHOUSE_USER: options.user ?? 'default',
    CLICKHOUSE_PASSWORD: options.password ?? '',
    CLICKHOUSE_DATABASE: options.database ?? 'default',
  })
  return close
}
