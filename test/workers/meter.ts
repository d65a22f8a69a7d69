/**
 * A count of all that Cloudflare bills, taken where the platform is called, so that the code is the one that is deployed: methods
 * of the bindings' classes are replaced by such as count, for all objects of this process.
 */
import { env } from 'cloudflare:workers'
import type {
  D1Database,
  D1PreparedStatement,
  D1Result,
  DurableObjectNamespace,
  DurableObjectState,
  DurableObjectStorage,
  R2Bucket,
  SqlStorage,
  SqlStorageCursor,
  SqlStorageValue,
} from '@cloudflare/workers-types'
import { CatalogueObject } from '../../src/backends/durable/catalogue-object.ts'
import { RunObject } from '../../src/backends/durable/run-object.ts'
import { BILLED, type Billed, PRICES } from './prices.ts'

export type Bill = Record<Billed, number>

const NOTHING: Bill = {
  'requests to the Worker': 0,
  'requests to objects': 0,
  'rows written in objects': 0,
  'rows read in objects': 0,
  'rows written in D1': 0,
  'rows read in D1': 0,
  'writes to R2 (class A)': 0,
  'reads from R2 (class B)': 0,
}

export const dollarsOf = (bill: Bill): number => BILLED.reduce((sum, what) => sum + PRICES[what] * bill[what], 0)

function replace<T extends object, K extends keyof T>(holder: T, method: K, by: (original: T[K]) => T[K]): void {
  holder[method] = by(holder[method])
}

const classOf = <T extends object>(instance: T): T => Object.getPrototypeOf(instance)

export class Meter {
  private bill: Bill = { ...NOTHING }
  /** Statements of objects; the platform knows their rows once all of them have been read. */
  private readonly cursors: Pick<SqlStorageCursor<never>, 'rowsRead' | 'rowsWritten'>[] = []

  /** @param object any run object, whose storage has the classes of all */
  constructor({ storage }: DurableObjectState) {
    this.watchObjects(classOf<DurableObjectNamespace>(env.RUNS))
    this.watchAlarms(RunObject.prototype)
    this.watchAlarms(CatalogueObject.prototype)
    this.watchStorage(classOf(storage.sql), classOf(storage))
    this.watchD1(classOf(env.DB))
    if ('DRAWS' in env) this.watchR2(classOf(env.DRAWS))
  }

  /** The bill since the last call. */
  take(): Bill {
    this.readCursors()
    const { bill } = this
    this.bill = { ...NOTHING }
    return bill
  }

  count(what: Billed, n = 1): void {
    this.bill[what] += n
  }

  /** Adds up cursors but the newest so many, which may be read on. */
  private readCursors(newest = 0): void {
    for (const { rowsRead, rowsWritten } of this.cursors.splice(0, this.cursors.length - newest)) {
      this.count('rows read in objects', rowsRead)
      this.count('rows written in objects', rowsWritten)
    }
  }

  /** Each call of a stub is a request, be it a method or a fetch. The product looks stubs up by name alone, tests by id. */
  private watchObjects(namespace: DurableObjectNamespace): void {
    const meter = this
    replace(
      namespace,
      'getByName',
      (getByName) =>
        function (this: DurableObjectNamespace, ...args) {
          return new Proxy(getByName.apply(this, args), {
            get: (stub, method) => {
              const called = Reflect.get(stub, method)
              if (typeof called !== 'function') return called
              return (...sent: unknown[]) => {
                meter.count('requests to objects')
                return Reflect.apply(called, stub, sent)
              }
            },
          })
        },
    )
  }

  private watchAlarms(object: { alarm(): Promise<void> }): void {
    const meter = this
    replace(
      object,
      'alarm',
      (alarm) =>
        function (this: typeof object) {
          meter.count('requests to objects')
          return alarm.call(this)
        },
    )
  }

  /** An alarm that is set is billed as a row. */
  private watchStorage(sql: SqlStorage, storage: DurableObjectStorage): void {
    const meter = this
    replace(
      sql,
      'exec',
      (exec) =>
        function <T extends Record<string, SqlStorageValue>>(
          this: SqlStorage,
          ...args: Parameters<SqlStorage['exec']>
        ) {
          const cursor: SqlStorageCursor<T> = exec.apply<SqlStorage, typeof args, SqlStorageCursor<T>>(this, args)
          meter.cursors.push(cursor)
          if (meter.cursors.length > 1000) meter.readCursors(100)
          return cursor
        },
    )
    replace(
      storage,
      'setAlarm',
      (setAlarm) =>
        function (this: DurableObjectStorage, ...args) {
          meter.count('rows written in objects')
          return setAlarm.apply(this, args)
        },
    )
  }

  private watchD1(database: D1Database): void {
    const meter = this
    replace(
      database,
      'batch',
      (batch) =>
        async function <T>(this: D1Database, statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
          const results = await batch.call(this, statements)
          for (const { meta } of results) {
            meter.count('rows read in D1', meta.rows_read)
            meter.count('rows written in D1', meta.rows_written)
          }
          return results as D1Result<T>[]
        },
    )
  }

  /** Deletions are free. */
  private watchR2(bucket: R2Bucket): void {
    this.watchCalls(bucket, 'put', 'writes to R2 (class A)')
    this.watchCalls(bucket, 'list', 'writes to R2 (class A)')
    this.watchCalls(bucket, 'createMultipartUpload', 'writes to R2 (class A)')
    this.watchCalls(bucket, 'get', 'reads from R2 (class B)')
    this.watchCalls(bucket, 'head', 'reads from R2 (class B)')
  }

  private watchCalls(bucket: R2Bucket, method: keyof R2Bucket, what: Billed): void {
    const meter = this
    const original: (...args: never[]) => unknown = bucket[method]
    Object.assign(bucket, {
      [method](this: R2Bucket, ...args: never[]) {
        meter.count(what)
        return original.apply(this, args)
      },
    })
  }
}
