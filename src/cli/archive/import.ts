/** An archive into a server: the same rid, metadata, draws, names and facts; resumed by running it again. */
import { HttpBackend, type HttpRun } from '../../client/index.ts'
import type { HttpBackendOptions } from '../../client/options.ts'
import { Transport } from '../../client/transport.ts'
import { type About, NO_ABOUT, writeAbout } from '../../core/about.ts'
import { isMcbError, type McbError } from '../../core/errors.ts'
import { isObject, type JsonObject } from '../../core/json.ts'
import { JSON_TYPE } from '../../core/media-types.ts'
import { CliError } from '../cli-error.ts'
import { type Extent, objectIn as jsonIn, type Origin } from './contents.ts'
import { KIND } from './format.ts'
import { freePage, overNodeHttp } from './node-http.ts'
import { ArchiveReader, type ArchiveRecord } from './reader.ts'
import { renamed } from './rename.ts'
import type { Source } from './source.ts'
import { halves } from './split.ts'

/** Requests that are under way at a time: the records of one chain follow each other. */
const AT_ONCE = 3

export interface ImportOptions {
  /** The rid to register under; the archive's when absent. */
  readonly as?: string | undefined
  /** Compares all draws that the server has already, and not the first and last record of them alone. */
  readonly verify: boolean
  /** Called behind each record with the draws so far. */
  readonly tell?: (done: { readonly draws: number; readonly bytes: number }) => void
}

export interface Imported {
  readonly rid: string
  readonly origin: Origin
  /** Draws that were sent, those that were compared among them. */
  readonly sent: number
  /** Draws that were there and taken for the same. */
  readonly skipped: number
  /** Draws that the server has beyond the archive's. */
  readonly beyond: number
  readonly about: 'same' | 'set' | 'kept' | 'none' | 'unknown'
}

/** Reads an archive to its end, and refuses one that is cut off or damaged. @throws CliError */
export async function verifyArchive(source: Source): Promise<void> {
  const reader = new ArchiveReader(source, { reuse: true })
  await reader.begin()
  while ((await reader.next()) !== undefined);
}

export async function importRun(options: HttpBackendOptions, source: Source, how: ImportOptions): Promise<Imported> {
  const ended = new AbortController()
  const importer = new Importer({ ...options, signal: ended.signal }, how)
  try {
    return await importer.run(new ArchiveReader(source))
  } finally {
    ended.abort()
  }
}

class Importer {
  private readonly transport: Transport
  private readonly backend: HttpBackend
  private readonly how: ImportOptions
  /** Draws of each chain that the server has, and that the archive has. */
  private readonly lengths = new Map<number, number>()
  private totals: ReadonlyMap<number, number> = new Map()
  private readonly done = { draws: 0, bytes: 0, sent: 0, skipped: 0 }

  constructor(options: HttpBackendOptions, how: ImportOptions) {
    this.transport = new Transport(options, overNodeHttp())
    this.backend = new HttpBackend(options)
    this.how = how
  }

  async run(reader: ArchiveReader): Promise<Imported> {
    await reader.begin()
    await reader.next()
    const metadata = await reader.next()
    const { origin } = reader.contents
    const rid = this.how.as ?? origin.rid
    this.totals = new Map(origin.chains.map(({ chain, length }) => [chain, length]))
    const run = await this.register(rid, metadata)
    await this.openChains(run, origin)
    let about: JsonObject | undefined
    const lanes = new Lanes(AT_ONCE)
    for (let record = await reader.next(); record !== undefined; record = await reader.next()) {
      const { head, payload, extent } = record
      if (head.kind === KIND.about) about = jsonIn(payload, 'name and notes')
      if (extent !== undefined)
        await lanes.add(head.chain, () => this.append(run, { chain: head.chain, payload, ...extent }))
    }
    await lanes.end()
    const beyond = this.requireLengths(origin)
    const { sent, skipped } = this.done
    return { rid, origin, sent, skipped, beyond, about: await this.setAbout(run, about) }
  }

  private async register(rid: string, metadata: ArchiveRecord | undefined): Promise<HttpRun> {
    if (metadata === undefined) throw new CliError('the archive has no metadata')
    const { as } = this.how
    const body = as === undefined ? metadata.payload : renamed(metadata.payload, as)
    await this.transport.send(
      { method: 'PUT', path: `/v1/runs/${rid}`, body },
      () => undefined,
      (refusal) => {
        throw refusedRun(refusal, rid)
      },
    )
    const run = await this.backend.getRun(rid)
    if (run === undefined) throw new CliError(`run "${rid}" was deleted while it was imported`, 'run_not_found')
    return run
  }

  /** Creates the chains, and learns of the draws that they have. */
  private async openChains(run: HttpRun, { chains }: Origin): Promise<void> {
    const lanes = new Lanes(AT_ONCE)
    for (const { chain } of chains) {
      const request = {
        method: 'PUT',
        path: `/v1/runs/${run.rid}/chains/${chain}`,
        headers: registrationOf(run),
      } as const
      await lanes.add(chain, async () => {
        this.lengths.set(chain, await this.transport.send({ ...request, type: JSON_TYPE }, lengthIn))
      })
    }
    await lanes.end()
  }

  /** Sends a record unless the server has its draws, and has been seen to have the same ones. */
  private async append(run: HttpRun, record: Sent): Promise<void> {
    const { chain, start, count, payload } = record
    const end = start + count
    const length = this.lengths.get(chain) ?? 0
    const total = this.totals.get(chain) ?? 0
    // The first and the last record of those that are there are compared: two chains that differ anywhere differ in these,
    // unless one is a copy of the other up to some draw.
    const isSent = this.how.verify || start === 0 || end >= Math.min(length, total)
    if (isSent) await this.send(run, record)
    this.done[isSent ? 'sent' : 'skipped'] += count
    this.done.draws += count
    this.done.bytes += payload.length
    freePage(payload)
    this.how.tell?.(this.done)
  }

  private async send(run: HttpRun, record: Sent): Promise<void> {
    const { chain, start, count, payload } = record
    const path = `/v1/runs/${run.rid}/chains/${chain}/draws`
    const request = { method: 'POST', path, headers: registrationOf(run), body: payload, type: JSON_TYPE } as const
    const length = await this.transport.send<number | undefined>(request, lengthIn, (refusal) => {
      if (isMcbError(refusal, 'payload_too_large') && count > 1) return undefined
      throw explained(refusal, record)
    })
    if (length === undefined) {
      // A server, or a tenant, with a lower limit than that of the one from which the archive comes.
      for (const half of halves(payload, { start, count }, run.schema)) await this.send(run, { chain, ...half })
      return
    }
    if (length < start + count)
      throw new CliError(`the server acknowledged ${length} draws of chain ${chain} instead of ${start + count}`)
    this.lengths.set(chain, Math.max(length, this.lengths.get(chain) ?? 0))
  }

  /** Number of draws that the server has beyond the archive. @throws CliError when it has fewer */
  private requireLengths({ chains }: Origin): number {
    let beyond = 0
    for (const { chain, length } of chains) {
      const there = this.lengths.get(chain) ?? 0
      if (there < length) throw new CliError(`chain ${chain} has ${there} draws on the server instead of ${length}`)
      beyond += there - length
    }
    return beyond
  }

  /** Sets name, tags, notes and facts where the run has none: those that somebody has given it since stay. */
  private async setAbout(run: HttpRun, given: JsonObject | undefined): Promise<Imported['about']> {
    if (given === undefined) return 'none'
    try {
      const present = await run.about()
      const wanted = patchIn(given)
      const text = writeAbout({ ...NO_ABOUT, ...wanted })
      if (writeAbout(present) === text) return 'same'
      if (writeAbout(present) !== writeAbout(NO_ABOUT)) return 'kept'
      await run.setAbout(wanted, { ifMatch: present.etag })
      return 'set'
    } catch (error) {
      if (isMcbError(error, 'about_changed')) return 'kept'
      // A server of an older release.
      if (isMcbError(error, 'not_found')) return 'unknown'
      throw error
    }
  }
}

interface Sent extends Extent {
  readonly chain: number
  readonly payload: Uint8Array<ArrayBuffer>
}

function registrationOf({ registration }: HttpRun) {
  return { 'Mcb-Registration': registration }
}

function lengthIn({ bytes }: { readonly bytes: Uint8Array }): number {
  const { length } = jsonIn(bytes, 'the answer')
  if (typeof length === 'number') return length
  throw new TypeError('the answer has no length')
}

/** The refusal of the metadata, with the run and the way out. */
function refusedRun(refusal: McbError, rid: string): Error {
  if (isMcbError(refusal, 'run_conflict')) {
    return new CliError(
      `the server has another run "${rid}", with different metadata; import this one under another id with --as RID`,
      refusal.code,
    )
  }
  if (isMcbError(refusal, 'unsupported_dtype')) {
    return new CliError(
      `run "${rid}" is not taken: ${refusal.message}. Nothing was registered. Python's client.store copies such a run ` +
        'from the server that has it, without these values: see docs/archive.md',
      refusal.code,
    )
  }
  return refusal
}

function explained(refusal: McbError, { chain, start, count }: Sent): Error {
  if (!isMcbError(refusal, 'draw_conflict', 'draw_gap')) return refusal
  return new CliError(
    `draws ${start} to ${start + count - 1} of chain ${chain} differ from those that the server has: another run, or other draws, are under this id (${refusal.message})`,
    refusal.code,
  )
}

/** The record as a patch of a run that has nothing; members of a newer version are left out. */
function patchIn({ name, tags, notes, archived, facts }: JsonObject): About {
  const texts = Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : []
  return {
    name: typeof name === 'string' ? name : null,
    tags: texts,
    notes: typeof notes === 'string' ? notes : null,
    archived: archived === true,
    facts: isObject(facts) ? facts : {},
  }
}

/** Tasks at a time, those of one key one after the other. */
class Lanes {
  private readonly most: number
  private readonly running = new Map<number, Promise<void>>()
  private failure: { readonly error: unknown } | undefined

  constructor(most: number) {
    this.most = most
  }

  /** Resolves when the task has begun. @throws the failure of an earlier one */
  async add(key: number, task: () => Promise<void>): Promise<void> {
    await this.running.get(key)
    while (this.running.size >= this.most) await Promise.race(this.running.values())
    this.requireNone()
    const running = task()
      .catch((error: unknown) => {
        this.failure ??= { error }
      })
      .finally(() => this.running.delete(key))
    this.running.set(key, running)
  }

  async end(): Promise<void> {
    await Promise.all(this.running.values())
    this.requireNone()
  }

  private requireNone(): void {
    if (this.failure !== undefined) throw this.failure.error
  }
}
