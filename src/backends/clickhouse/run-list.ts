/** Lines of runs, newest first, each kind of answer by one statement: a page of those that are found, or one with its document. */
import { McbError } from '../../core/errors.ts'
import type { ListPage, ListQuery, RunLine, StoredAbout } from '../../core/store.ts'
import { ridOf } from '../registration.ts'
import { PRESENT, readShown } from './about.ts'
import { ORDER } from './chains.ts'
import type { Connection } from './connection.ts'
import { FIGURES, readFigures } from './diagnostics.ts'
import { literal } from './literal.ts'
import { RowReader } from './row-binary.ts'
import { LIVE } from './runs.ts'

/** Names, notes and facts as they are at present, by registration. */
const ABOUTS = (
  ofRid: string,
  document: string,
) => `SELECT registration, now.1 AS revision, now.2 AS shown, now.3 AS folded,
  now.4 AS tags, now.5 AS archived, now.6 AS finished, now.7 AS expected, now.8 AS document
FROM (
  SELECT registration,
    argMin((revision, shown, folded, terms, archived, finished, expected, ${document}), ${PRESENT}) AS now
  FROM about WHERE tenant = {tenant:String} ${ofRid} GROUP BY registration)`

/** Rows of the appends of a tenant. */
const APPENDS = "FROM chunks WHERE tenant = {tenant:String} AND kind = 'append'"

interface LinesQuery extends Found {
  /** Condition on `rid` where one run alone is wanted. */
  readonly ofRid: string
  /** Expression of the document, of rows of `about`. */
  readonly document: string
}

interface Found {
  readonly conditions: readonly string[]
  /** Names of texts, and of arrays of them, that the conditions use, with their expressions. */
  readonly texts: readonly string[]
}

/** Runs are chosen before their chains are looked at. */
const LINES = ({
  ofRid,
  conditions,
  texts,
  document,
}: LinesQuery) => `WITH ${texts.map((text) => `${text}, `).join('')}page AS (
  SELECT rid, registration, position, created, variables, sample_stats, revision, shown, archived, finished, expected, document
  FROM (${LIVE(ofRid)}) AS live LEFT JOIN (${ABOUTS(ofRid, document)}) AS abouts USING registration
  WHERE ${['position < {before:UInt64}', ...conditions].join(' AND ')}
  ORDER BY position DESC LIMIT {limit:UInt32})
SELECT rid, registration, position, toUnixTimestamp64Milli(created), variables, sample_stats,
  revision, shown, archived, finished, expected, document, chains, draws, shortest, toUnixTimestamp64Milli(latest), figures
FROM page LEFT JOIN (
  SELECT registration, count() AS chains, toUInt64(sum(length)) AS draws, toUInt64(min(length)) AS shortest, max(time) AS latest
  FROM (
    SELECT registration, chain, max(finish) AS length, max(time) AS time FROM (
      SELECT registration, chain, argMin(start + count, ${ORDER}) AS finish, argMin(written, ${ORDER}) AS time
      ${APPENDS} ${ofRid} AND registration IN (SELECT registration FROM page)
      GROUP BY registration, chain, start)
    GROUP BY registration, chain)
  GROUP BY registration) AS state USING registration LEFT JOIN (${FIGURES(ofRid)}) AS diagnosed USING registration
ORDER BY position DESC`

const OF_RID = 'AND rid = {rid:String}'
const NEWEST = '18446744073709551615'
/** Characters, more than any term has, or any rid or name: longer texts are not sent. */
const LONGEST_TERM = 16 * 1024
const LONGEST_PART = 1024

export async function listRuns(connection: Connection, tenant: string, query: ListQuery): Promise<ListPage> {
  const { limit, before = NEWEST, rid, since, until, updatedSince } = query
  const times = Object.fromEntries(
    Object.entries({ since, until, updatedSince }).flatMap(([name, time]) =>
      time === undefined ? [] : [[name, time]],
    ),
  )
  const params = { tenant, limit: limit + 1, before, ...(rid !== undefined && { rid }), ...times }
  const sql = LINES({ ofRid: rid === undefined ? '' : OF_RID, ...foundBy(query), document: "''" })
  const rows = readLines(await connection.select(sql, params))
  const last = rows[limit - 1]
  const runs = rows.slice(0, limit).map(({ line }) => line)
  return rows.length > limit && last !== undefined ? { runs, next: String(last.position) } : { runs }
}

/** @throws McbError `run_not_found` */
export async function findAbout(connection: Connection, tenant: string, registration: string): Promise<StoredAbout> {
  const params = { tenant, rid: ridOf(registration), limit: 1, before: NEWEST }
  const sql = LINES({ ofRid: OF_RID, conditions: [], texts: [], document: 'document' })
  const [row] = readLines(await connection.select(sql, params))
  if (row?.registration !== registration) throw new McbError('run_not_found', 'the run was deleted')
  return { revision: row.revision, document: row.document, line: row.line }
}

function foundBy({ part, terms, since, until, updatedSince, archived }: ListQuery): Found {
  const conditions: string[] = []
  if (archived !== undefined) conditions.push(archived ? 'archived' : 'NOT archived')
  if (since !== undefined) conditions.push('toUnixTimestamp64Milli(created) >= {since:Int64}')
  if (until !== undefined) conditions.push('toUnixTimestamp64Milli(created) < {until:Int64}')
  if (part !== undefined) conditions.push(part.length > LONGEST_PART ? 'false' : HAS_PART)
  if (updatedSince !== undefined) conditions.push(UPDATED)
  const sets = terms.map((any) => any.filter((term) => term.length <= LONGEST_TERM).map(literal))
  const texts = sets.map((any, i) => `CAST([${any.join()}], 'Array(String)') AS ${setName(i)}`)
  if (conditions.includes(HAS_PART)) texts.push(`${literal(part ?? '')} AS part`)
  return { conditions: [...conditions, ...sets.map((_, i) => hasOneOf(setName(i)))], texts }
}

const HAS_PART = '(position(lower(rid), part) > 0 OR position(folded, part) > 0)'

function setName(index: number): string {
  return `terms_${index}`
}

/** Attributes are with the run, or with the first of its rows of `about`; tags with the present one. */
function hasOneOf(set: string): string {
  return `(hasAny(tags, ${set}) OR registration IN (
    SELECT registration FROM runs WHERE tenant = {tenant:String} AND hasAny(terms, ${set})
    UNION ALL SELECT registration FROM about WHERE tenant = {tenant:String} AND revision = 0 AND hasAny(terms, ${set})))`
}

/**
 * Runs that were made since then, and older ones of which an append holds that was written since then; the creation of a chain is
 * one. A hash names the places of such appends, since a set of the places themselves would be large.
 */
const UPDATED = `(toUnixTimestamp64Milli(created) >= {updatedSince:Int64} OR registration IN (
    SELECT registration ${APPENDS} AND cityHash64(registration, chain, start) IN (
      SELECT cityHash64(registration, chain, start) ${APPENDS} AND toUnixTimestamp64Milli(written) >= {updatedSince:Int64}
        AND registration IN (SELECT registration FROM runs
          WHERE tenant = {tenant:String} AND toUnixTimestamp64Milli(created) < {updatedSince:Int64}))
    GROUP BY registration, chain, start
    HAVING toUnixTimestamp64Milli(argMin(written, ${ORDER})) >= {updatedSince:Int64}))`

interface LineRow {
  readonly registration: string
  readonly position: bigint
  readonly revision: number
  readonly document: string
  readonly line: RunLine
}

function readLines(bytes: Uint8Array<ArrayBuffer>): LineRow[] {
  const reader = new RowReader(bytes)
  const rows: LineRow[] = []
  while (reader.more()) rows.push(readLine(reader))
  return rows
}

function readLine(reader: RowReader): LineRow {
  const rid = reader.string()
  const registration = reader.string()
  const position = reader.uint64()
  const created = reader.int64()
  const variables = reader.uint32()
  const sampleStats = reader.uint32()
  const revision = Number(reader.uint64())
  const shown = readShown(reader.string())
  const archived = reader.uint8() === 1
  const finished = reader.uint8() === 1
  // A Nullable begins with a byte that is 1 for NULL.
  const expected = reader.uint8() === 1 ? null : Number(reader.uint64())
  const document = reader.string()
  const chains = Number(reader.uint64())
  const draws = Number(reader.uint64())
  const shortest = Number(reader.uint64())
  const updatedAt = new Date(Math.max(created, reader.int64()))
  const diagnostics = readFigures(reader.string())
  const run = { rid, createdAt: new Date(created), updatedAt, variables, sampleStats, chains, draws, shortest }
  const line = { ...run, ...shown, archived, finished, expected, diagnostics }
  return { registration, position, revision, document, line }
}
