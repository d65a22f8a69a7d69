/**
 * A ClickHouse for tests: the server that CLICKHOUSE_URL names, the engine that a run of tests shares, or the development
 * engine in a process and a folder of its own; and in it a database of its own, which is gone afterwards.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { clickHouseOptions } from '../../src/backends/clickhouse/clickhouse-settings.ts'
import type { ConnectionOptions } from '../../src/backends/clickhouse/connection.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'
import { migrateDatabase } from '../../src/node/clickhouse.ts'
import { newFolder, removeFolder } from './storage.ts'

const SCRIPT = fileURLToPath(new URL('../../scripts/clickhouse.mjs', import.meta.url))
const MAIN = fileURLToPath(new URL('../../tools/clickhouse/main.ts', import.meta.url))

/** Names the address of the engine that all files of a run of tests share. */
export const SHARED_ENGINE = 'MCB_TEST_CLICKHOUSE_URL'

/** Characters of an engine's output that are kept, the last ones. */
const SAID = 4000

export interface TestServer {
  readonly options: ConnectionOptions
  stop(): Promise<void>
}

/** Installs the development engine where it is missing. */
export function installEngine(): void {
  const { status } = spawnSync(process.execPath, [SCRIPT, '--install'], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error("the development engine's installation failed")
}

/** A server without a database for us. */
export async function startServer(): Promise<TestServer> {
  const shared = process.env[SHARED_ENGINE]
  if (process.env.CLICKHOUSE_URL !== undefined) return { options: clickHouseOptions(process.env), stop: async () => {} }
  if (shared !== undefined) return { options: { url: shared }, stop: async () => {} }
  installEngine()
  const folder = newFolder()
  const child = spawn(process.execPath, [MAIN], {
    env: { ...process.env, PORT: '0', MCB_DATA_DIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const url = await addressOf(child)
  const stop = async () => {
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await exit
    removeFolder(folder)
  }
  return { options: { url }, stop }
}

/** Resolves when the engine listens. Its output is of interest when it does not. */
function addressOf(child: ChildProcessByStdio<null, Readable, Readable>): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const hear = (text: Buffer) => {
      said = (said + text).slice(-SAID)
      const found = /listening on (http:\/\/\S+)/.exec(said)?.[1]
      if (found !== undefined) resolve(found)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('exit', (code) => reject(new Error(`the engine ended with ${code}: ${said}`)))
  })
}

export interface TestDatabase {
  readonly options: ConnectionOptions
  /** Rows of runs, their names and facts, and draws. A deletion leaves a mark of its own, which is not counted and ends by itself. */
  countRows(): Promise<number>
  close(): Promise<void>
}

export async function openDatabase(): Promise<TestDatabase> {
  const server = await startServer()
  const database = `mcb_test_${crypto.randomUUID().replaceAll('-', '')}`
  const options = { ...server.options, database }
  await migrateDatabase(options)
  const connection = new NodeConnection(options)
  const countRows = async () => {
    const sql =
      'SELECT assumeNotNull((SELECT count() FROM runs) + (SELECT count() FROM chunks) + (SELECT count() FROM about))'
    return Number(new RowReader(await connection.select(sql, {})).uint64())
  }
  const close = async () => {
    await connection.command('DROP DATABASE {database:Identifier}', { database })
    await connection.close()
    await server.stop()
  }
  return { options, countRows, close }
}
