/**
 * The one engine of a run of tests: the first project starts it, and all files of all projects have databases
 * in it. The tests inside workerd, which can start nothing, are told of one.
 */
import type { TestProject } from 'vitest/node'
import { openDatabase, SHARED_ENGINE, startServer } from '../support/clickhouse.ts'

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

export default async function setup({ name, provide }: TestProject): Promise<() => Promise<void>> {
  const ends: (() => Promise<void>)[] = []
  if (process.env.CLICKHOUSE_URL === undefined && process.env[SHARED_ENGINE] === undefined) {
    const { options, stop } = await startServer()
    // The processes of the tests inherit it.
    process.env[SHARED_ENGINE] = options.url
    ends.push(stop)
  }
  if (name === 'workers-clickhouse') {
    const { options, close } = await openDatabase()
    provide('clickhouse', {
      CLICKHOUSE_URL: options.url,
      CLICKHOUSE_USER: options.user ?? 'default',
      CLICKHOUSE_PASSWORD: options.password ?? '',
      CLICKHOUSE_DATABASE: options.database ?? 'default',
    })
    ends.unshift(close)
  }
  return async () => {
    for (const end of ends) await end()
  }
}
