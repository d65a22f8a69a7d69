/**
 * The table of names, notes and facts. Each change is a row of the next revision; of several attempts at one revision, the one
 * that the server took first holds, so that one that arrives late changes nothing. The last revision of a run is the present one.
 */
import { NO_ABOUT, type ShownAbout, shownOf } from '../../core/about.ts'
import { McbError } from '../../core/errors.ts'
import { tagTerm } from '../../core/finding.ts'
import type { AboutChange } from '../../core/store.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import { newAttempt } from './append.ts'
import { OF_RUN, ORDER, type RunKey, requireLive, runParams } from './chains.ts'
import { AT_ONCE, WHEN_GONE } from './clickhouse-settings.ts'
import { type Connection, unavailable } from './connection.ts'
import { RowReader, RowWriter } from './row-binary.ts'

/** The order of the rows of a run in which the present one is the first: by falling revision, then as the server took them. */
export const PRESENT = `(bitNot(revision), ${ORDER})`

/**
 * Attempts of earlier revisions that a row names: a writer still learns that it has succeeded when as many changes have come
 * behind its own, and its row is removed.
 */
const FORMER = 64
/** Rows of revisions before the present one, and their bytes, at which they are removed. */
const SUPERSEDED_ROWS = 16
const SUPERSEDED_BYTES = 64 * 1024

interface Present {
  readonly revision: number
  /** The attempts that hold, from that of the present revision backwards. */
  readonly holders: readonly bigint[]
  /** Rows of earlier revisions, and their bytes. */
  readonly superseded: { readonly rows: number; readonly bytes: number }
  /** The last generation of the rid that was deleted. */
  readonly deleted: number
}

/** Rows of the changes of a run; those of generations that were deleted have no attempt. */
const CHANGES = `SELECT revision, attempt, former, bytes, _block_number AS position, 0 AS is_deletion
FROM about WHERE ${OF_RUN} AND revision > 0
UNION ALL SELECT generation, toUInt64(0), CAST([], 'Array(UInt64)'), toUInt64(0), toUInt64(0), 1
FROM deletions WHERE tenant = {tenant:String} AND rid = {rid:String}`

async function presentOf(connection: Connection, run: RunKey): Promise<Present> {
  const reader = new RowReader(await connection.select(CHANGES, runParams(run)))
  const changes: Change[] = []
  let deleted = 0
  while (reader.more()) {
    const revision = Number(reader.uint64())
    const attempt = reader.uint64()
    const former = Array.from({ length: reader.varint() }, () => reader.uint64())
    const bytes = Number(reader.uint64())
    const position = reader.uint64()
    if (reader.uint8() === 1) deleted = Math.max(deleted, revision)
    else changes.push({ revision, attempt, former, bytes, position })
  }
  const [present] = changes.sort(byPresence)
  if (present === undefined) return { revision: 0, holders: [], superseded: { rows: 0, bytes: 0 }, deleted }
  const { revision, attempt, former } = present
  const before = changes.filter((change) => change.revision < revision)
  const bytes = before.reduce((sum, change) => sum + change.bytes, 0)
  return { revision, holders: [attempt, ...former], superseded: { rows: before.length, bytes }, deleted }
}

interface Change {
  readonly revision: number
  readonly attempt: bigint
  readonly former: readonly bigint[]
  readonly bytes: number
  readonly position: bigint
}

/** The same order as `PRESENT`. */
function byPresence(a: Change, b: Change): number {
  if (a.revision !== b.revision) return b.revision - a.revision
  if (a.position !== b.position) return a.position < b.position ? -1 : 1
  return a.attempt < b.attempt ? -1 : 1
}

/** Replaces the document of a revision; see `Store.setAbout`. @throws McbError `run_not_found` */
export async function changeAbout(connection: Connection, run: RunKey, change: AboutChange): Promise<boolean> {
  const before = await presentOf(connection, run)
  requireLive(run, before.deleted)
  if (before.revision !== change.revision) return false
  const attempt = newAttempt()
  let failure: unknown
  await insertChange(connection, run, change, { attempt, former: before.holders.slice(0, FORMER) }).catch(
    (error: unknown) => {
      failure = error
    },
  )
  // The rows on the server decide, also after a failure.
  const after = await presentOf(connection, run)
  if (after.deleted >= run.generation) {
    await discard(connection, run, attempt)
    throw new McbError('run_not_found', 'the run was deleted')
  }
  const behind = after.revision - (change.revision + 1)
  const holder = behind < 0 ? undefined : after.holders[behind]
  // Nothing is there: it may still arrive, and then it is as if it were sent now.
  if (holder === undefined) throw failure ?? unavailable(new Error('a change of names and facts is not seen'))
  if (holder !== attempt) return false
  if (isMuch(after)) await prune(connection, run, after.revision)
  return true
}

async function insertChange(
  connection: Connection,
  run: RunKey,
  { revision, document, shown }: AboutChange,
  place: Pick<AboutRow, 'attempt' | 'former'>,
): Promise<void> {
  const writer = new RowWriter()
  writeRow(writer, run, { ...place, revision: revision + 1, terms: shown.tags.map(tagTerm), shown, document })
  const token = `${run.registration}/${revision + 1}`
  await connection.insert(INSERT_ABOUT, writer.finish(), { ...AT_ONCE, insert_deduplication_token: token })
}

export const INSERT_ABOUT =
  'INSERT INTO about (tenant, rid, registration, revision, attempt, former, written, shown, folded, terms, ' +
  'archived, finished, expected, bytes, document) FORMAT RowBinary'

interface AboutRow {
  readonly revision: number
  readonly attempt: bigint
  readonly former: readonly bigint[]
  readonly terms: readonly string[]
  readonly shown: ShownAbout
  readonly document: string
}

/** The terms of the attributes of a run that has none in the table of runs. */
export function writeAttributeTerms(
  writer: RowWriter,
  run: Omit<RunKey, 'generation'>,
  terms: readonly string[],
): void {
  writeRow(writer, run, { revision: 0, attempt: 0n, former: [], terms, shown: shownOf(NO_ABOUT), document: '' })
}

function writeRow(writer: RowWriter, run: Omit<RunKey, 'generation'>, row: AboutRow): void {
  const { revision, attempt, former, terms, shown, document } = row
  const text = new TextEncoder().encode(document)
  for (const key of [run.tenant, run.rid, run.registration]) writer.string(key)
  writer.uint64(BigInt(revision))
  writer.uint64(attempt)
  writer.varint(former.length)
  for (const each of former) writer.uint64(each)
  writer.int64(Date.now())
  writer.string(writeShown(shown))
  writer.string(shown.folded)
  writer.strings(terms)
  writer.uint8(shown.archived ? 1 : 0)
  writer.uint8(shown.finished ? 1 : 0)
  // A Nullable begins with a byte that is 1 for NULL.
  writer.uint8(shown.expected === null ? 1 : 0)
  if (shown.expected !== null) writer.uint64(BigInt(shown.expected))
  writer.uint64(BigInt(text.length))
  writer.blob(text)
}

function isMuch({ superseded: { rows, bytes } }: Present): boolean {
  return rows >= SUPERSEDED_ROWS || bytes >= SUPERSEDED_BYTES
}

/** Removes what has been replaced. One of them that arrives later changes nothing, and is removed by a later change. */
async function prune(connection: Connection, run: RunKey, revision: number): Promise<void> {
  const sql = `DELETE FROM about WHERE ${OF_RUN} AND revision > 0 AND revision < {revision:UInt64} ${WHEN_GONE}`
  // The change is made, whatever becomes of the others.
  await connection.command(sql, { ...runParams(run), revision }).catch(() => undefined)
}

/** Takes away what an attempt has left in a run that is gone. */
async function discard(connection: Connection, run: RunKey, attempt: bigint): Promise<void> {
  const sql = `DELETE FROM about WHERE ${OF_RUN} AND attempt = {attempt:UInt64} ${WHEN_GONE}`
  await connection.command(sql, { ...runParams(run), attempt: String(attempt) })
}

/** Name and tags in JSON: a half of a surrogate pair, which UTF-8 has not, is safe in it. Empty without both. */
function writeShown({ name, tags }: Pick<ShownAbout, 'name' | 'tags'>): string {
  return name === null && tags.length === 0 ? '' : JSON.stringify([name, ...tags])
}

export function readShown(text: string): Pick<ShownAbout, 'name' | 'tags'> {
  if (text === '') return { name: null, tags: [] }
  const [name, ...tags]: [string | null, ...string[]] = JSON.parse(text)
  return { name, tags }
}

/** Bytes of the documents of runs: those that are present. */
export const ABOUT_BYTES = (where: string) =>
  `SELECT sum(present) FROM (
    SELECT argMin(if(revision = 0, 0, ${ROW_BYTES} + bytes), ${PRESENT}) AS present FROM about WHERE ${where}
    GROUP BY registration)`
