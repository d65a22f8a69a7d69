/**
 * Verifies a folder, or a copy of a backup: reads all that is there and compares it with its checksums.
 *
 * The journal is read first and then the index, chain by chain: what a server folds meanwhile is in the index. Nothing is
 * changed, and only the draws of one chunk are held at a time.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { type ChainRow, chainAsFound, isChainIntact } from '../../backends/sqlite/chain.ts'
import { textSum } from '../../backends/sqlite/checksum.ts'
import { findRun } from '../../backends/sqlite/runs.ts'
import { partSum } from '../../backends/sqlite/staging.ts'
import type { Schema } from '../../core/draws/columns.ts'
import { DEFAULT_LIMITS } from '../../core/limits.ts'
import { parseRunMeta } from '../../core/wire/run-meta.ts'
import { DamagedJournal } from '../../journal/replay.ts'
import type { Disk } from '../../objects/disk.ts'
import { FileObjects } from '../../objects/file-objects.ts'
import { nodeDisk } from '../../objects/node-disk.ts'
import { type Row, runAtOnce } from '../../sql/program.ts'
import { CopyDisk, openCopy } from '../backup/copy-disk.ts'
import { sumOfFile } from '../backup/files.ts'
import { isOfThisVersion } from '../backup/index-copy.ts'
import { BackupError, INDEX } from '../backup/manifest.ts'
import { checkChain, type Surroundings } from './chain-check.ts'
import { ChunkRows } from './chunk-rows.ts'
import type { Damage, DamagedChain, Verdict } from './findings.ts'
import { drawsOfJournal, type JournalDraws } from './journal-draws.ts'

export interface VerifyOptions {
  /** Called for each damage. */
  readonly tell: (damage: Damage) => void
  readonly progress?: ((sentence: string) => void) | undefined
}

/** An index of a version before: more than its pages cannot be verified. */
export class OlderTables extends Error {
  override readonly name = 'OlderTables'
}

interface Place {
  readonly index: string
  readonly disk: Disk
  /** Folder of the journal and the objects on that disk. */
  readonly folder: string
  /** True while a server may write there. */
  readonly isRunning: boolean
  readonly isCopy: boolean
}

/** True while a server has the folder. */
export function isInUse(folder: string): boolean {
  const path = join(folder, 'mcbackend.lock')
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return false
  const lock = new Database(path, { readonly: true, timeout: 0 })
  try {
    lock.pragma('schema_version')
    return false
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return true
    throw error
  } finally {
    lock.close()
  }
}

/** Verifies the folder of a server's data. */
export function verifyFolder(folder: string, options: VerifyOptions): Promise<Verdict> {
  const index = join(folder, INDEX)
  const size = statSync(index, { throwIfNoEntry: false })?.size
  if (size === undefined || size === 0)
    throw new BackupError(
      `"${index}" is ${size === undefined ? 'missing' : 'empty'}; give the folder of a server, or a backup`,
    )
  const place = { index, disk: nodeDisk, folder, isRunning: isInUse(folder), isCopy: false }
  return new Verification(place, options).run()
}

/** Verifies a copy of a backup, the newest unless another one is named. @throws BackupError */
export async function verifyBackup(folder: string, name: string | undefined, options: VerifyOptions): Promise<Verdict> {
  const copy = openCopy(folder, name)
  const place = { index: copy.index, disk: new CopyDisk(copy, folder), folder, isRunning: false, isCopy: true }
  const verification = new Verification(place, options)
  const { size, sum } = copy.manifest.index
  const found = sumOfFile(copy.index, Number.MAX_SAFE_INTEGER)
  if (found.size !== size || found.sum !== sum)
    verification.tell({ what: `"${copy.index}" is not what was copied: its checksum differs` })
  for (const { file, size, sum } of Object.values(copy.manifest.journal)) {
    const path = join(folder, file)
    const there = statSync(path, { throwIfNoEntry: false }) === undefined ? undefined : sumOfFile(path, size)
    if (there?.sum !== sum) verification.tell({ what: `"${path}" is not what was copied: its checksum differs` })
  }
  return verification.run()
}

interface RunRow {
  readonly id: number
  readonly tenant: string
  readonly rid: string
}

class Verification {
  private readonly place: Place
  private readonly options: VerifyOptions
  private readonly counts = { runs: 0, chains: 0, draws: 0, staged: 0, damages: 0, bytes: 0 }
  private readonly damagedChains: DamagedChain[] = []

  constructor(place: Place, options: VerifyOptions) {
    this.place = place
    this.options = options
  }

  tell(damage: Damage): void {
    this.counts.damages++
    this.options.tell(damage)
  }

  async run(): Promise<Verdict> {
    const database = new Database(this.place.index, { readonly: true, fileMustExist: true })
    try {
      return await this.database(database)
    } catch (error) {
      if (!(error instanceof Database.SqliteError) || !/^SQLITE_(CORRUPT|NOTADB)/.test(error.code)) throw error
      this.tell({ what: `the index cannot be read any further: ${error.message}` })
      return this.verdict(0, [])
    } finally {
      database.close()
    }
  }

  private async database(database: Database.Database): Promise<Verdict> {
    this.progress('the pages of the index')
    // https://www.sqlite.org/pragma.html#pragma_integrity_check
    for (const row of database.prepare<[], { integrity_check: string }>('PRAGMA integrity_check').all()) {
      if (row.integrity_check !== 'ok') this.tell({ what: `the index is damaged: ${row.integrity_check}` })
    }
    if (!isOfThisVersion(database))
      throw new OlderTables('its tables are of a version before; start the server on it once, and verify it then')
    const { disk, folder, isRunning } = this.place
    const known = this.knownLengths(database)
    this.progress('the journal')
    const journal = await this.journal()
    const rows = new ChunkRows(database, disk, folder)
    const leastOf = ({ id, length, folded }: ChainRow) => (isRunning ? (known.get(id) ?? folded) : length)
    await this.runs(database, { database, rows, journal, leastOf })
    await rows.close()
    this.counts.bytes += rows.bytes + (journal?.bytes ?? 0)
    this.progress('staged objects')
    this.staged(database)
    return this.verdict(rows.unsummed, await this.strays(database))
  }

  /** Lengths that the index knew before the journal was read: a server goes on telling it of others. */
  private knownLengths(database: Database.Database): Map<number, number> {
    const rows = database
      .prepare<[], { id: number; length: number }>('SELECT id, length FROM chains WHERE length > folded')
      .all()
    return new Map(rows.map(({ id, length }) => [id, length]))
  }

  private async journal(): Promise<JournalDraws | undefined> {
    try {
      return await drawsOfJournal(this.place.disk, join(this.place.folder, 'journal'))
    } catch (error) {
      if (!(error instanceof DamagedJournal)) throw error
      this.tell({ what: error.message })
      return undefined
    }
  }

  private async runs(database: Database.Database, surroundings: Surroundings): Promise<void> {
    const next = database.prepare<[number], RunRow>(
      'SELECT id, tenant, rid FROM runs WHERE id > ? AND deleted = 0 ORDER BY id LIMIT 1',
    )
    const all = database.prepare<[], { n: number }>('SELECT count(*) AS n FROM runs WHERE deleted = 0').get()?.n ?? 0
    for (let run = next.get(0); run !== undefined; run = next.get(run.id)) {
      this.counts.runs++
      await this.checkRun(run, surroundings)
      const mebibytes = (surroundings.rows.bytes / 2 ** 20).toFixed(0)
      this.progress(`run ${this.counts.runs} of ${all}, ${mebibytes} MiB`)
    }
  }

  private async checkRun(run: RunRow, surroundings: Surroundings): Promise<void> {
    const { tenant, rid } = run
    const { database } = surroundings
    const schema = this.schemaOf(database, run)
    this.about(database, run)
    const chains = database
      .prepare<[number], { id: number }>('SELECT id FROM chains WHERE run_id = ? AND number >= 0 ORDER BY number')
      .all(run.id)
    for (const { id } of chains) {
      // All rows of a chain are read as of one moment, however a server goes on meanwhile.
      database.exec('BEGIN')
      try {
        const row = database.prepare<[number], Row>('SELECT * FROM chains WHERE id = ? AND number >= 0').get(id)
        if (row === undefined) continue
        const chain = { ...chainAsFound(row), id, runId: run.id }
        const { damages, soundTo, length } = await checkChain(chain, isChainIntact(row, chain), schema, surroundings)
        database.exec('COMMIT')
        // Objects go before the rows that name them.
        if (damages.length > 0 && !isThere(database, id)) continue
        this.counts.chains++
        this.counts.draws += length
        for (const damage of damages) this.tell({ ...damage, tenant, rid, chain: chain.number })
        if (damages.length > 0) this.damagedChains.push({ tenant, rid, chain: chain.number, length, soundTo })
      } finally {
        if (database.inTransaction) database.exec('COMMIT')
      }
    }
  }

  private schemaOf(database: Database.Database, { id, tenant, rid }: RunRow): Schema | undefined {
    try {
      const run = runAtOnce(
        findRun(tenant, 'rid', rid),
        ({ sql, params }) => database.prepare<unknown[], Row>(sql).all(...params),
        () => {},
      )
      if (run === undefined) throw new Error('its row is not found by its name')
      this.counts.bytes += run.meta.length
      return parseRunMeta(run.meta, DEFAULT_LIMITS).schema
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (isThereRun(database, id)) this.tell({ tenant, rid, what: `its metadata cannot be read: ${why}` })
      return undefined
    }
  }

  /** Names, notes and facts. */
  private about(database: Database.Database, { id, tenant, rid }: RunRow): void {
    const row = database
      .prepare<[number], { document: string; sum: number | null }>('SELECT document, sum FROM about WHERE run_id = ?')
      .get(id)
    if (row === undefined || row.sum === null || row.sum === textSum(id, row.document)) return
    this.tell({ tenant, rid, what: 'its names, notes and facts are damaged' })
  }

  private staged(database: Database.Database): void {
    interface StagedRow {
      readonly tenant: string
      readonly rid: string
      readonly path: string
      readonly part: number
      readonly size: number
      readonly sum: number
      readonly data: Buffer
    }
    const rows = database.prepare<[], StagedRow>(
      'SELECT g.tenant, g.rid, s.path, s.part, s.size, s.sum, s.data FROM stages g JOIN staged s ON s.stage_id = g.id ' +
        'WHERE g.deleted = 0 ORDER BY g.id, s.path, s.part',
    )
    let before: StagedRow | undefined
    for (const row of rows.iterate()) {
      const { tenant, rid, path, part, size, sum, data } = row
      const isNext = before?.path === path && before.rid === rid && before.tenant === tenant
      const expected = isNext && before !== undefined ? before.part + 1 : 0
      if (!isNext) this.counts.staged++
      this.counts.bytes += data.length
      if (part !== expected) this.tell({ tenant, rid, what: `a part of the staged object "${path}" is missing` })
      if (size !== data.length || sum !== partSum(path, part, new Uint8Array(data)))
        this.tell({ tenant, rid, what: `part ${part} of the staged object "${path}" is damaged` })
      before = row
    }
    const counted = database.prepare<[], { tenant: string; rid: string }>(
      'SELECT tenant, rid FROM stages g WHERE deleted = 0 AND ' +
        'objects <> (SELECT count(*) FROM staged WHERE stage_id = g.id AND part = 0)',
    )
    for (const { tenant, rid } of counted.all())
      this.tell({ tenant, rid, what: 'it has more or fewer staged objects than the index says' })
  }

  /** Objects that nothing names. */
  private async strays(database: Database.Database): Promise<Verdict['strays']> {
    if (this.place.isCopy) return []
    const strays: { key: string; bytes: number }[] = []
    const objects = new FileObjects(this.place.disk, join(this.place.folder, 'objects'))
    const named = database.prepare<[number, number]>(
      'SELECT 1 FROM chains WHERE id = ? AND object >= ? AND number >= 0',
    )
    try {
      for await (const { key, size } of objects.list()) {
        const [chain, object] = key.split('.').map(Number)
        if (named.get(chain ?? 0, object ?? 0) === undefined) strays.push({ key, bytes: size })
      }
    } finally {
      objects.close()
    }
    return strays
  }

  private progress(sentence: string): void {
    this.options.progress?.(sentence)
  }

  private verdict(unsummed: number, strays: Verdict['strays']): Verdict {
    return { ...this.counts, unsummed, strays, damagedChains: this.damagedChains }
  }
}

function isThere(database: Database.Database, chain: number): boolean {
  return database.prepare<[number]>('SELECT 1 FROM chains WHERE id = ? AND number >= 0').get(chain) !== undefined
}

function isThereRun(database: Database.Database, run: number): boolean {
  return database.prepare<[number]>('SELECT 1 FROM runs WHERE id = ? AND deleted = 0').get(run) !== undefined
}
