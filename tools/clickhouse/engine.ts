/** ClickHouse's engine in this process: sessions of chdb on one data folder, each used by one query at a time. */
import { createRequire } from 'node:module'

/** The part of chdb that this server uses; the package is installed by `scripts/clickhouse.mjs`, not with the project. */
interface ChdbSession {
  queryAsync(sql: string, options: { format: string }): Promise<ChdbResult>
  close(): void
}

interface ChdbResult {
  readonly rowsRead: number
  readonly bytesRead: number
  readonly elapsed: number
  bytes(): Uint8Array
}

interface Chdb {
  readonly Session: new (path: string) => ChdbSession
}

function isChdb(module: unknown): module is Chdb {
  return typeof module === 'object' && module !== null && 'Session' in module && typeof module.Session === 'function'
}

/** An exception of the engine, with ClickHouse's own code. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export interface Result {
  readonly bytes: Uint8Array
  /** Rows of the answer; the package does not tell what the engine read for it (`system.events` does). */
  readonly resultRows: number
  readonly resultBytes: number
  /** Seconds. */
  readonly elapsed: number
}

interface Session {
  readonly chdb: ChdbSession
  database: string
}

const SESSIONS = 4

export class Engine {
  private readonly idle: Session[]
  private readonly sessions: readonly Session[]
  private readonly waiting: ((session: Session) => void)[] = []

  /** Opens, or makes, the data folder. */
  constructor(folder: string) {
    const module: unknown = createRequire(import.meta.url)('chdb')
    if (!isChdb(module)) throw new Error('the package chdb has no Session')
    this.sessions = Array.from({ length: SESSIONS }, () => ({ chdb: new module.Session(folder), database: 'default' }))
    this.idle = [...this.sessions]
  }

  /** `database` is the current one for this query. */
  async run(sql: string, format: string, database: string): Promise<Result> {
    const session = this.idle.pop() ?? (await new Promise<Session>((resolve) => this.waiting.push(resolve)))
    try {
      if (session.database !== database) {
        await session.chdb.queryAsync(`USE \`${database.replaceAll('`', '\\`')}\``, { format: 'Null' })
        session.database = database
      }
      const result = await session.chdb.queryAsync(sql, { format })
      const { rowsRead, bytesRead, elapsed } = result
      return { bytes: result.bytes(), resultRows: rowsRead, resultBytes: bytesRead, elapsed }
    } catch (error) {
      throw toEngineError(error)
    } finally {
      const next = this.waiting.shift()
      if (next === undefined) this.idle.push(session)
      else next(session)
    }
  }

  close(): void {
    for (const session of this.sessions) session.chdb.close()
  }
}

function toEngineError(error: unknown): EngineError {
  const message = error instanceof Error ? error.message : String(error)
  const code = Number(/Code: (\d+)\./.exec(message)?.[1] ?? 1002)
  return new EngineError(code, message)
}
