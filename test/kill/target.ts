/** A server in processes of its own, which can be killed at any moment and started again on the same storage. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ConnectionOptions } from '../../src/backends/clickhouse/connection.ts'
import { migrateDatabase } from '../../src/node/clickhouse.ts'
import { installEngine, openDatabase } from '../support/clickhouse.ts'

/**
 * - `node`: the Node entry with a SQLite file
 * - `clickhouse`: the Node entry in front of ClickHouse, which goes on
 * - `engine`: ClickHouse's development engine, behind a Node entry that goes on
 * - `worker`: the Worker on workerd, with run objects
 * - `bucket`: the same with a bucket, and run objects that may have so little that draws move to it all the while
 */
export const TARGETS = ['node', 'clickhouse', 'engine', 'worker', 'bucket'] as const
export type TargetName = (typeof TARGETS)[number]

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

type Environment = Readonly<Record<string, string>>

/** True where the data folder is workerd's own. */
export function isOnWorkerd(name: TargetName): boolean {
  return ON_WORKERD.has(name)
}

/** The start of a process that says where it is listening. */
interface Launch {
  readonly args: readonly string[]
  readonly env: Environment
}

function nodeEntry(folder: string, port: number, storage: Environment = {}): Launch {
  const env = { PORT: String(port), HOST: '127.0.0.1', MCB_DATA_DIR: folder, MCB_LOG: 'quiet', ...storage }
  return { args: [path('src/node.ts')], env }
}

/** Options of workerd's server by the targets that it serves. */
const ON_WORKERD = new Map<TargetName, readonly string[]>([
  ['worker', []],
  ['bucket', ['--storage', 'bucket', '--var', 'MCB_OBJECT_MIB=2']],
])

function worker(folder: string, port: number, how: readonly string[]): Launch {
  const options = ['--entry', path('src/worker.ts'), '--data', folder, '--port', String(port), ...how]
  return { args: [path('bench/workerd/server.ts'), ...options], env: {} }
}

function engine(folder: string, port: number): Launch {
  const env = { PORT: String(port), HOST: '127.0.0.1', MCB_DATA_DIR: `${folder}/clickhouse` }
  return { args: [path('tools/clickhouse/main.ts')], env }
}

export class Target {
  /** The address of the API. */
  readonly url: string
  private readonly launch: Launch
  private child: ChildProcess | undefined
  /** Processes that go on beside it, in the order in which they are ended. */
  private readonly lasting: (() => Promise<void>)[] = []

  private constructor(url: string, launch: Launch) {
    this.url = url
    this.launch = launch
  }

  static async start(name: TargetName, folder: string): Promise<Target> {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    if (name === 'engine') return Target.startEngine(folder, port, url)
    const database = name === 'clickhouse' ? await openDatabase() : undefined
    const storage = database && clickHouse(database.options)
    const onWorkerd = ON_WORKERD.get(name)
    const launch = onWorkerd === undefined ? nodeEntry(folder, port, storage) : worker(folder, port, onWorkerd)
    const target = new Target(url, launch)
    if (database !== undefined) target.lasting.push(() => database.close())
    await target.orDispose(() => target.start())
    return target
  }

  private static async startEngine(folder: string, port: number, url: string): Promise<Target> {
    installEngine()
    const enginePort = await freePort()
    const options = { url: `http://127.0.0.1:${enginePort}`, database: 'mcbackend' }
    const target = new Target(url, engine(folder, enginePort))
    await target.orDispose(async () => {
      await target.start()
      await migrateDatabase(options)
      const api = await listening(nodeEntry(folder, port, clickHouse(options)))
      target.lasting.push(() => end(api))
    })
    return target
  }

  async start(): Promise<void> {
    this.child = await listening(this.launch)
  }

  private async orDispose(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      await this.dispose()
      throw error
    }
  }

  /** SIGKILL to every process of it. */
  async kill(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child !== undefined) await end(child)
  }

  /** Ends it for good, with the processes beside it. */
  async dispose(): Promise<void> {
    await this.kill()
    for (const close of this.lasting.splice(0)) await close()
  }
}

/** Starts a process, and resolves when it listens. */
async function listening({ args, env }: Launch): Promise<ChildProcess> {
  // A process group of its own, so that workerd is killed with the process that started it.
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let said = ''
  child.stderr.on('data', (text) => {
    said = (said + text).slice(-4000)
  })
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('listening on')) continue
    child.stdout.resume()
    return child
  }
  throw new Error(`${args.join(' ')} ended before it listened: ${said}`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return
  const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
  process.kill(-child.pid, 'SIGKILL')
  await ended
}

function clickHouse({ url, user = 'default', password = '', database = 'default' }: ConnectionOptions): Environment {
  const access = { CLICKHOUSE_URL: url, CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password }
  return { MCB_STORAGE: 'clickhouse', ...access, CLICKHOUSE_DATABASE: database }
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
