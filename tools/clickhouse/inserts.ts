/** Binary inserts through files, and asynchronous ones that are gathered as the server's own buffer gathers them. */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Engine, Result } from './engine.ts'
import { quote, withSettings } from './sql.ts'

export interface Insert {
  /** Without FORMAT. */
  readonly sql: string
  readonly format: string
  readonly database: string
  readonly settings: ReadonlyMap<string, string>
  readonly body: Buffer
}

interface Waiting {
  readonly bodies: Buffer[]
  readonly insert: Insert
  readonly done: Promise<Result>
}

/** Milliseconds that an asynchronous insert waits for others, as the server's default at its least. */
const BUSY_MS = 50

export class Inserts {
  private readonly engine: Engine
  private readonly folder: string
  private readonly buffers = new Map<string, Waiting>()

  /** `folder` takes bodies on their way into the engine. */
  constructor(engine: Engine, folder: string) {
    this.engine = engine
    this.folder = folder
  }

  async insert(insert: Insert): Promise<Result | undefined> {
    const { settings } = insert
    if (settings.get('async_insert') !== '1') return this.now(insert, [insert.body])
    const waiting = this.buffered(insert)
    if (settings.get('wait_for_async_insert') === '0') {
      waiting.done.catch((error: unknown) => console.error('an asynchronous insert failed:', error))
      return undefined
    }
    return waiting.done
  }

  private buffered(insert: Insert): Waiting {
    const { sql, format, database, settings, body } = insert
    const key = JSON.stringify([sql, format, database, [...settings].sort()])
    const present = this.buffers.get(key)
    if (present !== undefined) {
      present.bodies.push(body)
      return present
    }
    const bodies = [body]
    const ms = Number(settings.get('async_insert_busy_timeout_max_ms') ?? BUSY_MS)
    const done = new Promise((resolve) => setTimeout(resolve, ms)).then(() => {
      this.buffers.delete(key)
      return this.now(insert, bodies)
    })
    const waiting = { bodies, insert, done }
    this.buffers.set(key, waiting)
    return waiting
  }

  private async now({ sql, format, database, settings }: Insert, bodies: readonly Buffer[]): Promise<Result> {
    const path = join(this.folder, randomUUID())
    const effective = new Map([...settings].filter(([name]) => !/async_insert/.test(name)))
    try {
      await writeFile(path, bodies)
      const text = withSettings(`${sql}\nFROM INFILE ${quote(path)}`, new Map([...effective, ['async_insert', '0']]))
      return await this.engine.run(`${text}\nFORMAT ${format}`, 'Null', database)
    } finally {
      rmSync(path, { force: true })
    }
  }
}
