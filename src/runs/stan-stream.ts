/** A CSV file of Stan that becomes a chain while it comes: lines in, batches of draws out. */
import { type AboutPatch, applyPatch, writeAbout } from '../core/about.ts'
import { isMcbError, McbError } from '../core/errors.ts'
import { isObject, type JsonObject } from '../core/json.ts'
import { CsvFile, type FileColumns } from '../core/stan/csv-file.ts'
import { chainFacts, runFacts } from '../core/stan/facts.ts'
import { Rows } from '../core/stan/rows.ts'
import { differenceOf, runMetaOf } from '../core/stan/run-meta.ts'
import { StanError } from '../core/stan/stan-error.ts'
import type { Usage } from '../core/store.ts'
import { inTurns } from '../core/turn.ts'
import { COLUMN_BYTES, ROW_BYTES } from '../core/usage.ts'
import { acceptRunMeta, encodeRunMeta } from '../core/wire/run-meta.ts'
import type { StoreBackend, StoreRun } from './backend.ts'

/** Bytes of the text that are held as draws at most, unless one line has more. */
const STORED_BYTES = 64 * 1024
/** Milliseconds from the arrival of a line until it is being stored. */
const STORED_MS = 200
/** Bytes that a stream holds without a word: so much of its text as numbers, and as a batch. */
const OWN_BYTES = 8 * STORED_BYTES

/** Questions of a stream to those who let it in. */
export interface Admission {
  /** Makes sure of room for an addition. @throws McbError `quota_exceeded`, `storage_unavailable` */
  readonly admit: (added: Usage) => Promise<void>
  /** Counts what was added. */
  readonly added: (added: Usage) => void
  /** Told how many bytes are held, before they are. @throws McbError `overloaded` */
  readonly hold: (bytes: number) => void
}

/** The place of the chain. */
export interface StreamPlace {
  readonly rid: string
  readonly chain: number
  /** The registration that the sender means; any when absent. */
  readonly registration?: string | undefined
  /** Rows that are warmup, for files that do not tell it. */
  readonly warmup?: number | undefined
}

export interface Streamed {
  readonly chain: number
  readonly length: number
  /** True where the file has ended as its settings tell. */
  readonly complete: boolean
}

export class StanStream {
  private readonly backend: StoreBackend
  private readonly place: StreamPlace
  private readonly admission: Admission
  private readonly file: CsvFile
  private rows = new Rows(0)
  /** Iteration of the first row that waits. */
  private start = 0
  /** Bytes of the text since rows were stored. */
  private text = 0
  private textHeld = 0
  private waitsSince: number | undefined
  private run: StoreRun | undefined
  /** Length of the chain, once it is there. */
  private length: number | undefined
  private told: 'nothing' | 'beginning' | 'adaptation' = 'nothing'

  constructor(backend: StoreBackend, place: StreamPlace, admission: Admission) {
    const { columns, bodyBytes: drawBytes } = backend.limits
    this.backend = backend
    this.place = place
    this.admission = admission
    const bounds = { columns, drawBytes, room: (bytes: number) => this.holdText(bytes) }
    this.file = new CsvFile((values, isWarmup) => this.takeRow(values, isWarmup), bounds, place.warmup)
  }

  /** Time of `performance.now()` at which rows that wait are to be stored; undefined while none wait. */
  get dueAt(): number | undefined {
    return this.waitsSince === undefined ? undefined : this.waitsSince + STORED_MS
  }

  /**
   * Takes the next bytes of the file, and stores rows when there are many.
   *
   * @throws McbError `invalid_parameter` or `payload_too_large` for a line that makes no sense, when all before it are stored; and as
   *   `flush`
   */
  async take(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; at += STORED_BYTES) {
      const part = piece.subarray(at, at + STORED_BYTES)
      this.text += part.length
      await this.read(part)
      if (this.text >= STORED_BYTES || this.rows.bytes >= OWN_BYTES) await this.flush()
    }
  }

  private async read(part: Uint8Array): Promise<void> {
    const fault = await inTurns(this.file.add(part)).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (this.file.columns !== undefined) this.run ??= await this.register(this.file.columns)
    if (fault === undefined) return
    await this.flush()
    throw fault instanceof StanError ? refusal(fault) : fault
  }

  /**
   * Stores the rows that wait, and resolves when they are durable.
   *
   * @throws McbError `draw_conflict` where other draws are stored, `run_not_found` for a run that was deleted, and those of `admit`
   */
  async flush(): Promise<void> {
    const { run, rows, start, file } = this
    this.text = 0
    this.waitsSince = undefined
    if (run === undefined || file.columns === undefined || rows.count === 0) return
    const { chain } = this.place
    this.length ??= await this.begin(run)
    const { count } = rows
    const batch = rows.encode(start, file.columns, run.schema)
    rows.clear()
    this.hold()
    const added = { runs: 0, bytes: ROW_BYTES + COLUMN_BYTES * run.schema.columns.length + batch.length }
    const isNew = start + count > this.length
    if (isNew) await this.admission.admit(added)
    const before = this.length
    this.length = await run.append(chain, batch)
    if (this.length > before) this.admission.added(added)
    this.start = start + count
    await this.tellFacts(run, 'so far')
  }

  /**
   * The file has ended: stores what is whole. A last line without its end is no draw.
   *
   * @throws McbError as `take` and `flush`; `invalid_parameter` for a file without a line of names
   */
  async end(): Promise<Streamed> {
    await this.flush()
    const { file, run } = this
    if (file.columns === undefined) throw refusal(new StanError('there is no line of column names'))
    if (run !== undefined && this.length !== undefined) await this.tellFacts(run, 'at the end')
    return { chain: this.place.chain, length: this.length ?? 0, complete: file.isComplete && !file.isCutOff }
  }

  private takeRow(values: Float64Array<ArrayBuffer>, isWarmup: boolean): void {
    if (this.rows.count === 0) this.rows = new Rows(values.length)
    this.hold(this.rows.bytesWithOneMore)
    this.rows.add(values, isWarmup)
    this.waitsSince ??= performance.now()
  }

  private holdText(bytes: number): void {
    this.textHeld = bytes
    this.hold()
  }

  /** Counts the memory of rows and lines, beyond what each stream may have. */
  private hold(rows = this.rows.bytes): void {
    this.admission.hold(Math.max(0, this.textHeld + rows - OWN_BYTES))
  }

  // -- the run and its chain

  private async register(columns: FileColumns): Promise<StoreRun> {
    const { backend, file, admission } = this
    const { rid, registration } = this.place
    const { settings } = file
    const read = { settings, columns, plan: file.plan ?? { method: settings.method } }
    const existing = await backend.getRun(rid)
    if (registration !== undefined && existing?.registration !== registration) {
      if (existing === undefined) throw new McbError('run_not_found', `there is no run "${rid}"`)
      throw new McbError('run_replaced', `run "${rid}" was deleted and registered again`)
    }
    const checked = (run: StoreRun): StoreRun => {
      const difference = differenceOf(read, run)
      if (difference === undefined) return run
      throw new McbError('run_conflict', `this file does not belong to run "${rid}": ${difference}`)
    }
    if (existing !== undefined) return checked(existing)
    const meta = acceptRunMeta(encodeRunMeta(runMetaOf(read, rid)), rid, backend.limits)
    const added = { runs: 1, bytes: ROW_BYTES + meta.bytes.length }
    await admission.admit(added)
    try {
      const run = await backend.register(rid, meta)
      if (run.isNew) admission.added(added)
      return run
    } catch (error) {
      const other = isMcbError(error, 'run_conflict') ? await backend.getRun(rid) : undefined
      if (other === undefined) throw error
      return checked(other)
    }
  }

  /** Creates the chain, or finds it; its length. */
  private async begin(run: StoreRun): Promise<number> {
    const { chain } = this.place
    const existing = await run.getChain(chain)
    if (existing !== undefined) return existing.state.length
    const added = { runs: 0, bytes: ROW_BYTES }
    await this.admission.admit(added)
    const made = await run.initChain(chain)
    if (made.isNew) this.admission.added(added)
    return made.state.length
  }

  // -- facts

  /** Tells what the file says of the run and its chain beside the draws: at the first of them, behind the adaptation, at the end. */
  private async tellFacts(run: StoreRun, when: 'so far' | 'at the end'): Promise<void> {
    const { file, told } = this
    const isAdapted = file.adaptation.isDone && file.rows > (file.plan?.warmup ?? 0)
    const isNews = told === 'nothing' || (told === 'beginning' && isAdapted)
    if (when === 'so far' && !isNews) return
    const known = await run.about()
    const beginning = told === 'nothing' ? without(runFacts(file), known.facts) : {}
    this.told = isAdapted ? 'adaptation' : 'beginning'
    const own = chainFacts(file)
    const { inverseMetric: _metric, mean: _mean, ...small } = own
    for (const chain of [own, small]) {
      const isKnown = Object.keys(chain).length > 0
      const facts = { ...beginning, ...(isKnown && { chains: { [String(this.place.chain)]: chain } }) }
      if (await this.changeAbout(run, known, { facts })) return
    }
  }

  /** False where the facts of the run would be too many. */
  private async changeAbout(
    run: StoreRun,
    known: Parameters<typeof applyPatch>[0],
    patch: AboutPatch,
  ): Promise<boolean> {
    try {
      if (writeAbout(applyPatch(known, patch)) === writeAbout(known)) return true
      const admit = async (bytes: number) => {
        if (bytes > 0) await this.admission.admit({ runs: 0, bytes })
      }
      await run.changeAbout(patch, { admit })
      return true
    } catch (error) {
      if (isMcbError(error, 'invalid_about')) return false
      throw error
    }
  }
}

/** Members that `known` does not have. */
function without(facts: JsonObject, known: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) => {
      const other = known[name]
      if (other === undefined || other === null) return [[name, value]]
      return isObject(value) && isObject(other) ? [[name, without(value, other)]] : []
    }),
  )
}

function refusal({ message, line, isTooLarge }: StanError): McbError {
  const detail = line > 0 ? `line ${line}: ${message}` : message
  return isTooLarge ? new McbError('payload_too_large', detail) : new McbError('invalid_parameter', detail)
}
