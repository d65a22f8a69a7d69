/** A server in processes of its own, which can be killed at any moment and started again on the same storage. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'

/** The Node entry with a SQLite file, or in front of ClickHouse; the Worker with run objects. */
export const TARGETS = ['node', 'clickhouse', 'worker'] as const
export type TargetName = (typeof TARGETS)[number]

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

type Environment = Readonly<Record<string, string>>

/** Command and environment of a target. */
function launch(target: TargetName, folder: string, port: number, storage: Environment) {
  if (target !== 'worker') {
    const env = { PORT: String(port), HOST: '127.0.0.1', MCB_DATA_DIR: folder, MCB_LOG: 'quiet', ...storage }
    return { args: [path('src/node.ts')], env }
  }
  const options = ['--entry', path('src/worker.ts'), '--data', folder, '--port', String(port)]
  return { args: [path('bench/workerd/server.ts'), ...options], env: {} }
}

export class Target {
  readonly url: string
  private readonly name: TargetName
  private readonly folder: string
  private readonly port: number
  private child: ChildProcess | undefined
  /** What is not killed: the engine, and a database in it. */
  private readonly database: TestDatabase | undefined

  private constructor(name: TargetName, folder: string, port: number, database?: TestDatabase) {
    this.name = name
    this.folder = folder
    this.port = port
    this.database = database
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(name: TargetName, folder: string): Promise<Target> {
    const database = name === 'clickhouse' ? await openDatabase() : undefined
    const target = new Target(name, folder, await freePort(), database)
    try {
      await target.start()
    } catch (error) {
      await target.dispose()
      throw error
    }
    return target
  }

  async start(): Promise<void> {
    const { args, env } = launch(this.name, this.folder, this.port, environmentOf(this.database))
    // A process group of its own, so that workerd is killed with the process that started it.
    const child = spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    this.child = child
    let said = ''
    child.stderr.on('data', (text) => {
      said = (said + text).slice(-4000)
    })
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.includes('listening on')) continue
      child.stdout.resume()
      return
    }
    throw new Error(`the ${this.name} target ended before it listened: ${said}`)
  }

  /** SIGKILL to every process of it. */
  async kill(): Promise<void> {
    const { child } = this
    if (child?.pid === undefined) return
    this.child = undefined
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    process.kill(-child.pid, 'SIGKILL')
    await ended
  }

  /** Ends it for good, with what it stands on. */
  async dispose(): Promise<void> {
    await this.kill()
    await this.database?.close()
  }
}

function environmentOf(database: TestDatabase | undefined): Environment {
  if (database === undefined) return {}
  const { url, user = 'default', password = '', database: name = 'default' } = database.options
  const access = { CLICKHOUSE_URL: url, CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password }
  return { MCB_STORAGE: 'clickhouse', ...access, CLICKHOUSE_DATABASE: name }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
