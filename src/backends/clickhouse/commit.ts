/** Inserting attempts and learning what has come of them: each by itself, or those of many writers together. */
import type { Bytes } from '../../core/draws/segment.ts'
import { type AppendPlace, type Holding, holdingsAt } from './chains.ts'
import { INSERT_CHUNKS } from './chunk.ts'
import { GATHER_MS, ON_SERVER, ONE_BLOCK } from './clickhouse-settings.ts'
import { type Connection, type Settings, unavailable } from './connection.ts'

/**
 * Ways to bring small inserts together, so that not each makes a part of its own. `gather`: this process does it, which is
 * the cheapest. `server`: ClickHouse does, by asynchronous inserts that are waited for; for platforms on which requests of a
 * process cannot work for each other, such as Workers. `each`: nobody does; every insert has a deduplication token, which
 * replicated tables need.
 */
export const INSERTS = ['gather', 'server', 'each'] as const
export type Inserts = (typeof INSERTS)[number]

/** The way that `CLICKHOUSE_INSERTS` names. @throws Error with one sentence that says what to set */
export function insertsOf(text = ''): Inserts {
  if (text === '') return 'gather'
  const inserts = INSERTS.find((name) => name === text)
  if (inserts === undefined) throw new Error(`CLICKHOUSE_INSERTS must be ${INSERTS.join(', ')}, not "${text}"`)
  return inserts
}

export interface Attempted extends AppendPlace {
  readonly attempt: bigint
  /** Rows in RowBinary; `size` is their length in bytes. */
  readonly rows: readonly Bytes[]
  readonly size: number
}

export interface Commit extends Holding {
  /** Failure of the insert, which may have been applied all the same, or be applied later. */
  readonly failure: Error | undefined
}

export interface Commits {
  /** True where requests of this process may do work for each other. */
  readonly shared: boolean
  /** True where the server may bring small inserts together. */
  readonly together: boolean
  /** Inserts, and says which attempt holds at its place. @throws when that cannot be learnt */
  commit(attempted: Attempted): Promise<Commit>
}

/** Inserts of fewer bytes are brought together with others. */
export const SMALL_BYTES = 256 * 1024
export function commitsOf(connection: Connection, inserts: Inserts): Commits {
  return inserts === 'gather' ? new Together(connection) : new Alone(connection, inserts)
}

/** One insert, and a look at what the server made of it. */
async function commitAll(
  connection: Connection,
  group: readonly Attempted[],
  settings: Settings,
): Promise<readonly Commit[]> {
  let failure: Error | undefined
  const rows = group.flatMap((attempted) => attempted.rows)
  await connection.insert(INSERT_CHUNKS, rows, settings).catch((error: unknown) => {
    failure = unavailable(error)
  })
  // The rows on the server decide, also after a failure.
  const holdings = await holdingsAt(connection, group).catch((error: unknown) => {
    throw failure ?? error
  })
  return holdings.map((holding) => ({ ...holding, failure }))
}

class Alone implements Commits {
  readonly shared = false
  readonly together: boolean
  private readonly connection: Connection
  private readonly inserts: Exclude<Inserts, 'gather'>

  constructor(connection: Connection, inserts: Exclude<Inserts, 'gather'>) {
    this.connection = connection
    this.inserts = inserts
    this.together = inserts === 'server'
  }

  async commit(attempted: Attempted): Promise<Commit> {
    const { run, chain, head, size } = attempted
    const token = `${run.registration}/${chain}/${head}`
    const onServer = this.inserts === 'server' && size < SMALL_BYTES
    const settings = onServer ? ON_SERVER : { ...ONE_BLOCK, insert_deduplication_token: token }
    const [commit] = await commitAll(this.connection, [attempted], settings)
    if (commit === undefined) throw new Error('an attempt has no commit')
    return commit
  }
}

/** Size of a full group: attempts, or characters of their keys, which a URL must hold, or bytes of rows. */
const GROUP_ATTEMPTS = 64
const GROUP_KEYS = 6000
const GROUP_BYTES = 4 * 1024 * 1024
/** Concurrent inserts at most. The last two start only by timer, so that a server that stops answering cannot use up all. */
const LANES = 8
const LANES_OF_FULL = 6
/** Milliseconds without an answer after which a second group starts; twice as many for a third, and so on. */
const SILENT_MS = 250
/** Milliseconds that an append waits for its turn, and between two looks at those that wait. */
const PATIENCE_MS = 30_000
const LOOK_MS = 1000
/** Milliseconds that a group waits for the writers of the one before, which are about to send their next batches. */
const COMPANY_MS = 10

/** Characters that a place takes in the URL of the query for it, at most. */
function keyLength({ run: { tenant, rid, registration }, chain, head }: AppendPlace): number {
  const params = { param_t00: tenant, param_r00: rid, param_g00: registration }
  return new URLSearchParams({ ...params, param_c00: String(chain), param_h00: String(head) }).toString().length + 1
}

interface Waiting {
  readonly attempted: Attempted
  readonly since: number
  readonly resolve: (commit: Commit) => void
  readonly reject: (error: unknown) => void
}

/**
 * Group commit. Attempts that arrive while a group is at work make up the next, so that a server with many writers sees few
 * inserts, and a lone writer waits for nobody. A full group waits for nothing.
 */
class Together implements Commits {
  readonly shared = true
  readonly together = true
  private readonly connection: Connection
  private waiting: Waiting[] = []
  private bytes = 0
  private lanes = 0
  /** Times of the last group's start and of the last answer, and the writers then: the group's own and those that waited. */
  private started = Number.NEGATIVE_INFINITY
  private answered = Number.NEGATIVE_INFINITY
  private writers = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(connection: Connection) {
    this.connection = connection
  }

  commit(attempted: Attempted): Promise<Commit> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ attempted, since: performance.now(), resolve, reject })
      this.bytes += attempted.size
      this.next()
    })
  }

  /** Starts as many groups as may be started now. */
  private next(): void {
    clearTimeout(this.timer)
    this.refuseOld()
    while (this.waiting.length > 0) {
      const wait = this.lanes < LANES ? this.pause() : LOOK_MS
      if (wait > 0) {
        this.timer = setTimeout(() => this.next(), Math.min(wait, LOOK_MS))
        return
      }
      void this.start(this.take())
    }
  }

  /** Refuses attempts that have waited for long: their senders try again, so they need not be kept. */
  private refuseOld(): void {
    const young = this.waiting.findIndex(({ since }) => since > performance.now() - PATIENCE_MS)
    for (const { attempted, reject } of this.waiting.splice(0, young === -1 ? this.waiting.length : young)) {
      this.bytes -= attempted.size
      reject(unavailable(new Error(`no turn to insert came in ${PATIENCE_MS} ms`)))
    }
  }

  /** Milliseconds that the next group waits for more, if nothing changes. */
  private pause(): number {
    const isFull = this.bytes >= GROUP_BYTES || this.waiting.length >= GROUP_ATTEMPTS
    if (isFull && this.lanes < LANES_OF_FULL) return 0
    const company = this.waiting.length < this.writers ? this.answered + COMPANY_MS : 0
    // Groups that are not answered do not count where a later one was.
    const isSilent = this.lanes > 0 && this.answered < this.started
    const silence = SILENT_MS * 2 ** (this.lanes - 1)
    const begin = isSilent ? this.started + silence : Math.max(this.started + GATHER_MS, company)
    return Math.ceil(begin - performance.now())
  }

  private take(): Waiting[] {
    const room = { attempts: GROUP_ATTEMPTS, keys: GROUP_KEYS, bytes: GROUP_BYTES }
    let count = 0
    for (const { attempted } of this.waiting) {
      room.attempts -= 1
      room.keys -= keyLength(attempted)
      room.bytes -= attempted.size
      if (count > 0 && Math.min(room.attempts, room.keys, room.bytes) < 0) break
      this.bytes -= attempted.size
      count++
    }
    return this.waiting.splice(0, count)
  }

  private async start(group: readonly Waiting[]): Promise<void> {
    this.lanes++
    this.started = performance.now()
    try {
      // A token of its own, so that an insert that the network delivers twice is one.
      const settings = { ...ONE_BLOCK, insert_deduplication_token: crypto.randomUUID() }
      const commits = await commitAll(
        this.connection,
        group.map(({ attempted }) => attempted),
        settings,
      )
      if (commits.every(({ failure }) => failure === undefined)) this.answered = performance.now()
      for (const [i, commit] of commits.entries()) group[i]?.resolve(commit)
    } catch (error) {
      for (const { reject } of group) reject(error)
    } finally {
      this.lanes--
      this.writers = group.length + this.waiting.length
      this.next()
    }
  }
}
