/** Runs that a version before has registered, without the terms by which their attributes are found. */
import type { Bytes } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'
import { attributeTerms } from '../../core/finding.ts'
import { decodeRunMeta } from '../../core/wire/run-meta.ts'
import { INSERT_ABOUT, writeAttributeTerms } from './about.ts'
import { AT_ONCE } from './clickhouse-settings.ts'
import type { Connection } from './connection.ts'
import { RowReader, RowWriter } from './row-binary.ts'

/** Runs that one query reads: each has up to 16 MiB of metadata. */
const RUNS_TOGETHER = 16
/** Runs, and bytes of their rows, about, that one insert brings. */
const RUNS_PER_INSERT = 1024
const BYTES_PER_INSERT = 4 * 1024 * 1024

/** The next runs in the order of the table's key. */
const NEXT = `SELECT tenant, rid, generation, registration, meta FROM runs
WHERE empty(terms) AND (tenant > {tenant:String} OR (tenant = {tenant:String} AND (rid > {rid:String} OR
  (rid = {rid:String} AND (generation, registration) > ({generation:UInt64}, {registration:String})))))
ORDER BY tenant, rid, generation, registration LIMIT ${RUNS_TOGETHER}`

/** Inserts their terms. May be repeated: what is there twice finds a run once. */
export async function addEarlierTerms(connection: Connection): Promise<void> {
  let writer = new RowWriter()
  let runs = 0
  const flush = async () => {
    if (runs > 0) await connection.insert(INSERT_ABOUT, writer.finish(), AT_ONCE)
    writer = new RowWriter()
    runs = 0
  }
  let last: RunPlace | undefined = { tenant: '', rid: '', generation: '0', registration: '' }
  while (last !== undefined) {
    const reader: RowReader = new RowReader(await connection.select(NEXT, { ...last }))
    last = undefined
    while (reader.more()) {
      last = readPlace(reader)
      const terms = termsIn(reader.take(reader.varint()))
      if (terms.length === 0) continue
      writeAttributeTerms(writer, last, terms)
      runs++
      if (runs >= RUNS_PER_INSERT || writer.size >= BYTES_PER_INSERT) await flush()
    }
  }
  await flush()
}

/** Damaged metadata have none: they are told of when the run is read, and keep no other run from being found. */
function termsIn(meta: Bytes): string[] {
  try {
    return attributeTerms(decodeRunMeta(meta))
  } catch (error) {
    if (error instanceof McbError) return []
    throw error
  }
}

interface RunPlace {
  readonly tenant: string
  readonly rid: string
  readonly generation: string
  readonly registration: string
}

function readPlace(reader: RowReader): RunPlace {
  const [tenant, rid] = [reader.string(), reader.string()]
  return { tenant, rid, generation: String(reader.uint64()), registration: reader.string() }
}
