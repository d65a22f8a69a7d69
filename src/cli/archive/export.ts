/** A run into an archive: the moment of its beginning, resumed where an earlier attempt was cut off. */
import type { HttpRun } from '../../client/index.ts'
import { Transport } from '../../client/transport.ts'
import { isMcbError } from '../../core/errors.ts'
import type { RunAbout } from '../../core/interfaces.ts'
import { jsonText } from '../../core/json.ts'
import { JSON_TYPE, PROTOBUF } from '../../core/media-types.ts'
import { VERSION } from '../../version.ts'
import { listIn } from '../answers.ts'
import { type Contents, type Origin, objectIn } from './contents.ts'
import { KIND } from './format.ts'
import { freePage } from './node-http.ts'
import { type PagesOf, readPages } from './pages.ts'
import { ArchiveWriter, type Sink } from './writer.ts'

export interface Exported {
  readonly origin: Origin
  readonly records: number
  readonly draws: number
}

/** The beginning of an archive that is there already: its records, and the sum behind them. */
export interface Begun {
  readonly contents: Contents
  readonly sum: number
}

export interface ExportOptions {
  readonly begun?: Begun | undefined
  /** Called behind each page with the draws and bytes so far. */
  readonly tell?: (done: { readonly draws: number; readonly bytes: number }) => void
}

/** The run as it is now: lengths that the archive goes up to. */
export async function originOf(
  options: PagesOf['options'],
  run: HttpRun,
  about: RunAbout | undefined,
): Promise<Origin> {
  const { rid, registration } = run
  const transport = new Transport(options)
  const request = {
    method: 'GET',
    path: `/v1/runs/${rid}/chains`,
    headers: { 'Mcb-Registration': registration },
  } as const
  const answer = await transport.send({ ...request, type: JSON_TYPE }, ({ bytes }) =>
    objectIn(bytes, 'the list of chains'),
  )
  const chains = listIn(answer, 'chains').map(({ chain, length }) => ({ chain: Number(chain), length: Number(length) }))
  return {
    rid,
    registration,
    createdAt: about?.createdAt.toISOString() ?? null,
    exportedAt: new Date().toISOString(),
    writer: `mcb ${VERSION}`,
    chains,
  }
}

/** Name, tags, notes and facts; undefined where the server is of an older release, which has none. */
export function aboutOf(run: HttpRun): Promise<RunAbout | undefined> {
  return run.about().catch((error: unknown) => {
    if (isMcbError(error, 'not_found')) return undefined
    throw error
  })
}

/** Writes the archive of a run. @throws McbError `run_replaced` when it was deleted meanwhile */
export async function exportRun(
  of: PagesOf,
  run: HttpRun,
  sink: Sink,
  { begun, tell }: ExportOptions,
): Promise<Exported> {
  const writer = new ArchiveWriter(sink, begun)
  const { contents } = writer
  if (contents.last < KIND.about) {
    const about = await aboutOf(run)
    if (contents.last === 0) await writer.begin(await originOf(of.options, run, about))
    if (contents.last === KIND.origin) await writer.record(KIND.metadata, await metadataOf(of))
    if (about !== undefined) await writer.record(KIND.about, aboutBytes(about))
  }
  const { origin } = contents
  const spans = origin.chains.map(({ chain, length }) => ({
    chain,
    start: contents.next.get(chain) ?? 0,
    end: length,
  }))
  const done = { draws: 0, bytes: 0 }
  for await (const page of readPages(of, spans)) {
    await writer.record(KIND.draws, page.bytes, page)
    done.draws += page.count
    done.bytes += page.bytes.length
    freePage(page.bytes)
    tell?.(done)
  }
  const { records, draws } = contents.end()
  await writer.end()
  return { origin, records: records + 1, draws }
}

/** The bytes that were registered: the client would leave out fields that it does not know. */
function metadataOf({ options, rid, registration }: PagesOf): Promise<Uint8Array<ArrayBuffer>> {
  const request = { method: 'GET', path: `/v1/runs/${rid}`, headers: { 'Mcb-Registration': registration } } as const
  return new Transport(options).send({ ...request, type: PROTOBUF }, ({ bytes }) => bytes)
}

function aboutBytes({ name, tags, notes, archived, facts }: RunAbout): Uint8Array {
  return new TextEncoder().encode(jsonText({ name, tags, notes, archived, facts }))
}
