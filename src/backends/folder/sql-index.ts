/** The index of a folder in SQLite, beside the objects that it names. It lives in the thread that owns the database. */
import { newBlocks, overlapOf } from '../../core/draws/append-rule.ts'
import type { Schema } from '../../core/draws/columns.ts'
import type { Block } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'
import type { Limits } from '../../core/limits.ts'
import { LruMap } from '../../core/lru.ts'
import { prepareBatch } from '../../core/wire/read-batch.ts'
import { parseRunMeta } from '../../core/wire/run-meta.ts'
import type { Disk } from '../../objects/disk.ts'
import { FileObjects } from '../../objects/file-objects.ts'
import { readParts } from '../../objects/parts.ts'
import { numberIn, type Program, type SqlDriver, textIn } from '../../sql/program.ts'
import { chainAsFound, chainOfId, chainsWithIds, findChain, isChainIntact, requireRun } from '../sqlite/chain.ts'
import { chainSum, withId } from '../sqlite/checksum.ts'
import type { Collect, FarBlock } from '../sqlite/chunks.ts'
import { blocksIn, partsOf } from '../sqlite/far.ts'
import { chunkReads } from '../sqlite/read.ts'
import { findRun, hideNext, hideRun, touchRun } from '../sqlite/runs.ts'
import { SqliteStore } from '../sqlite/sqlite-store.ts'
import { purgeStage } from '../sqlite/staging.ts'
import { Alone } from './alone.ts'
import { type Placed, packChunks } from './chunk-answer.ts'
import { type ChainFold, foldChain, objectKey } from './fold-chain.ts'
import type {
  Appended,
  ChainGrowth,
  ChainKey,
  ChunkQuestion,
  Chunks,
  Folded,
  FolderIndex,
  FoldJob,
  FoldOutcome,
  Hidden,
  IndexedChain,
  IndexedStore,
  LargeAppend,
  RecoveredChain,
} from './index-calls.ts'
import { JournalReader } from './journal-reader.ts'
import { purgeHidden, purgeRun } from './purge.ts'
import { recoveredChains } from './recovered.ts'
import { sweep } from './sweep.ts'

/** Bytes of schemas that are kept. */
const KNOWN_BYTES = 32 * 1024 * 1024
/** Bytes of an object that are read here; more are read by who asks for them, so that they need not cross. */
const NEAR_BYTES = 32 * 1024

export interface SqlIndexOptions {
  readonly driver: SqlDriver
  readonly disk: Disk
  /** The folder; its journal and its objects lie in folders of their own below. */
  readonly folder: string
  readonly limits: Limits
}

interface KnownRun {
  readonly id: number
  readonly meta: Uint8Array<ArrayBuffer>
  readonly schema: Schema
  readonly weight: number
}

export class SqlIndex implements FolderIndex {
  private readonly driver: SqlDriver
  private readonly limits: Limits
  private readonly objects: FileObjects
  private readonly journal: JournalReader
  private readonly alone = new Alone()
  private isClosed = false
  private readonly stores = new Map<string, SqliteStore>()
  private readonly known = new LruMap<string, KnownRun>(KNOWN_BYTES, ({ weight }) => weight)

  constructor({ driver, disk, folder, limits }: SqlIndexOptions) {
    this.driver = driver
    this.limits = limits
    this.objects = new FileObjects(disk, `${folder}/objects`)
    this.journal = new JournalReader(disk, `${folder}/journal`)
  }

  openStore(tenant: string): IndexedStore {
    let store = this.stores.get(tenant)
    if (store === undefined) {
      store = new SqliteStore(this.driver, tenant, this.limits)
      this.stores.set(tenant, store)
    }
    return store
  }

  async run(tenant: string, registration: string): Promise<KnownRun> {
    const run = await this.schemaOf(tenant, registration)
    await this.driver.run(() => requireRun(run.id))
    return run
  }

  async chain({ tenant, registration, runId }: Omit<ChainKey, 'id'>, chain: number): Promise<IndexedChain | undefined> {
    const find = () =>
      this.driver.run(function* () {
        const row = yield* findChain(runId, chain)
        if (row === undefined) yield* requireRun(runId)
        return row
      })
    const row = await find()
    if (row === undefined || row.tailRows === 0) return row
    // A version before has left a tail in the database: from now on it lies in the journal.
    const { schema } = await this.schemaOf(tenant, registration)
    const { id, folded, length: end } = row
    await this.foldChain({ id, folded, schema, blocks: [], end, now: 0 })
    return find()
  }

  recover(ids: readonly number[]): Promise<readonly RecoveredChain[]> {
    return this.driver.run(() => recoveredChains(ids))
  }

  async chunks({ tenant, registration, id, columns, spans }: ChunkQuestion): Promise<Chunks> {
    const { schema } = await this.schemaOf(tenant, registration)
    const specs = columns.flatMap((column) => schema.columns[column] ?? [])
    const near: Placed<Block>[] = []
    const far: Placed<FarBlock>[] = []
    await this.driver.run(function* () {
      yield* chainOfId(id)
      const chunks = chunkReads(id, spans, specs)
      const rows = yield { reads: chunks.map(({ statement }) => statement) }
      const collect: Collect = {
        near: (place, block) => void near.push({ place, block }),
        far: (place, block) => void far.push({ place, block }),
      }
      for (const [i, { blocks }] of chunks.entries()) blocks(rows[i] ?? [], collect)
    })
    return packChunks(
      [...near, ...(await this.readSmall(id, far))],
      far.filter(({ block }) => block.length > NEAR_BYTES),
    )
  }

  private async readSmall(id: number, far: readonly Placed<FarBlock>[]): Promise<Placed<Block>[]> {
    const small = far.filter(({ block }) => block.length <= NEAR_BYTES)
    if (small.length === 0) return []
    const blocks = small.map(({ block }) => block)
    const parts = partsOf(blocks, (object) => objectKey(id, object))
    const read = await readParts(this.objects, parts)
    if (read.states.includes('missing')) await this.driver.run(() => chainOfId(id))
    const found = blocksIn(blocks, parts, read)
    return small.flatMap(({ place }, i) => {
      const block = found[i]
      return block === undefined ? [] : { place, block }
    })
  }

  fold(jobs: readonly FoldJob[]): Promise<FoldOutcome[]> {
    return Promise.all(
      jobs.map(async (job): Promise<FoldOutcome> => {
        try {
          const { schema } = await this.schemaOf(job.tenant, job.registration)
          const tail = await this.journal.tailOf(job, schema.columns.length)
          const end = job.folded + tail.batches.reduce((n, [first]) => n + (first?.count ?? 0), 0)
          const { id, folded } = job
          return await this.foldChain({ id, folded, schema, tail, blocks: [], end, now: 0 })
        } catch (error) {
          const isGone = error instanceof McbError && error.code === 'run_not_found'
          return { failure: error instanceof Error ? error.message : String(error), isGone }
        }
      }),
    )
  }

  async append(append: LargeAppend): Promise<Appended> {
    const { tenant, registration, id, folded, length, compared, now, body } = append
    const { schema } = await this.schemaOf(tenant, registration)
    const batch = (await prepareBatch(body, schema, this.limits))()
    const { from, to } = overlapOf(batch, length)
    if (from < to && to > compared) return { repeats: body }
    const tail = await this.journal.tailOf(append, schema.columns.length)
    const blocks = newBlocks(schema, batch, length)
    const end = batch.start + batch.count
    return this.foldChain({ id, folded, schema, tail, blocks, end, now })
  }

  publish(growth: readonly ChainGrowth[]): Promise<void> {
    return this.driver.run(function* (): Program<void> {
      const [rows = []] = yield { reads: [chainsWithIds(growth.map(({ id }) => id))] }
      const present = new Map(rows.map((row) => [numberIn(row, 'id'), row]))
      const writes = growth.flatMap(({ id, length: told, updatedAt, tailBytes }) => {
        const row = present.get(id)
        const chain = row && chainAsFound(row)
        // One that is damaged stays as it is, and is found by who reads it.
        if (row === undefined || chain === undefined || !isChainIntact(row, chain) || chain.tailRows > 0) return []
        const length = Math.max(chain.length, told)
        const sum = withId(chainSum({ ...chain, length }), id)
        const sql =
          'UPDATE chains SET length = ?, updated_at = max(updated_at, ?), bytes = max(0, bytes - tail_bytes + ?), ' +
          'tail_bytes = ?, sum = ? WHERE id = ?'
        return [{ sql, params: [length, updatedAt, tailBytes, tailBytes, sum, id] }]
      })
      const touched = new Map<number, number>()
      for (const { runId, updatedAt } of growth) touched.set(runId, Math.max(updatedAt, touched.get(runId) ?? 0))
      yield { writes: [...writes, ...[...touched].map(([runId, at]) => touchRun(runId, at))] }
    })
  }

  async hide(tenant: string, rid: string): Promise<Hidden> {
    const [found, hidden] = await this.driver.run(function* (): Program<
      [string | undefined, Omit<Hidden, 'registration'>]
    > {
      const run = yield* findRun(tenant, 'rid', rid)
      return [run?.registration, yield* hideRun(tenant, rid)]
    })
    return { ...hidden, registration: found }
  }

  async purge({ run, stage }: Pick<Hidden, 'run' | 'stage'>): Promise<void> {
    if (stage !== undefined) await purgeStage(this.driver, stage)
    if (run !== undefined) await purgeRun(this.driver, this.objects, run)
  }

  hideNext(tenant: string): Promise<Hidden | undefined> {
    return this.driver.run(function* (): Program<Hidden | undefined> {
      const sql = 'SELECT registration FROM runs WHERE tenant = ? ORDER BY id LIMIT 1'
      const [rows = []] = yield { reads: [{ sql, params: [tenant] }] }
      const run = yield* hideNext(tenant)
      return run === undefined
        ? undefined
        : { run, stage: undefined, registration: rows[0] && textIn(rows[0], 'registration') }
    })
  }

  async clearStaged(tenant: string): Promise<void> {
    await new SqliteStore(this.driver, tenant, this.limits).objects.clear()
  }

  /** Completes deletions that were cut off when the process before this one ended. */
  completeDeletions(): Promise<void> {
    return purgeHidden(this.driver, this.objects)
  }

  /** Gives the disk back that puts which were cut off have taken. */
  sweep(notice: (sentence: string) => void): Promise<void> {
    return sweep({
      driver: this.driver,
      objects: this.objects,
      alone: (chain, work) => this.alone.run(chain, work),
      notice,
      isOver: () => this.isClosed,
    })
  }

  private foldChain(fold: ChainFold): Promise<Folded> {
    return this.alone.run(fold.id, () => foldChain(this.driver, this.objects, fold))
  }

  async close(): Promise<void> {
    this.isClosed = true
    await this.journal.close()
    this.objects.close()
  }

  private async schemaOf(tenant: string, registration: string): Promise<KnownRun> {
    // With the tenant: to know a registration of another one helps nobody.
    const name = `${tenant}/${registration}`
    const known = this.known.get(name)
    if (known !== undefined) return known
    const row = await this.driver.run(() => findRun(tenant, 'registration', registration))
    if (row === undefined) throw new McbError('run_not_found', 'the run was deleted')
    const { schema, weight } = parseRunMeta(row.meta, this.limits)
    const run = { id: row.id, meta: row.meta, schema, weight: weight + row.meta.length }
    this.known.set(name, run)
    return run
  }
}
