/** Runs that are moved from one server to another through an archive, and are the same there, byte for byte. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { exportToFile } from '../../src/cli/archive/export-file.ts'
import { type Imported, type ImportOptions, importRun, verifyArchive } from '../../src/cli/archive/import.ts'
import { FileSource } from '../../src/cli/archive/source.ts'
import { HttpBackend } from '../../src/client/index.ts'
import { queryOfColumns } from '../../src/client/query.ts'
import { isObject, type JsonObject, jsonText, parseJson } from '../../src/core/json.ts'
import { JSON_TYPE, PROTOBUF } from '../../src/core/media-types.ts'
import { newFolder, removeFolder } from './storage.ts'

/** Draws of a page that is compared, of chains that are longer. */
const PAGE = 100_000

export async function exported(url: string, rid: string, path: string) {
  const run = await new HttpBackend({ url }).getRun(rid)
  if (run === undefined) throw new Error(`there is no run "${rid}"`)
  return exportToFile({ options: { url }, rid, registration: run.registration, schema: run.schema }, run, path, {})
}

export async function imported(url: string, path: string, how: Partial<ImportOptions> = {}): Promise<Imported> {
  const whole = await FileSource.open(path)
  await verifyArchive(whole)
  await whole.close()
  const source = await FileSource.open(path)
  try {
    return await importRun({ url }, source, { verify: false, ...how })
  } finally {
    await source.close()
  }
}

/** All runs of a server, archived ones as well. */
export async function ridsOf(url: string): Promise<string[]> {
  const backend = new HttpBackend({ url })
  const rids: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await backend.listRuns({ limit: 1000, archived: 'any', cursor })
    rids.push(...page.runs.map(({ rid }) => rid))
    cursor = page.nextCursor
    if (cursor === undefined) return rids
  }
}

/** Moves every run, and expects it to be the same there. The number of runs. */
export async function expectMoved(from: string, to: string): Promise<number> {
  const folder = newFolder()
  const rids = await ridsOf(from)
  try {
    for (const rid of rids) {
      const path = join(folder, 'run.mcb')
      await exported(from, rid, path)
      await imported(to, path)
      rmSync(path)
      await expectSame(from, to, rid)
    }
  } finally {
    removeFolder(folder)
  }
  return rids.length
}

/** Metadata, chains, draws, and all that people say of a run: the same bytes from both servers. */
export async function expectSame(from: string, to: string, rid: string, as = rid): Promise<void> {
  if (as === rid) expect(await bytesAt(to, `/v1/runs/${as}`), rid).toEqual(await bytesAt(from, `/v1/runs/${rid}`))
  const chains = await chainsOf(from, rid)
  expect(await chainsOf(to, as), rid).toEqual(chains)
  for (const { chain, length } of chains) {
    for (let start = 0; start < length; start += PAGE) {
      const slice = `chains/${chain}/draws?start=${start}&stop=${start + PAGE}`
      const whole = await sameAnswer(`${from}/v1/runs/${rid}/${slice}`, `${to}/v1/runs/${as}/${slice}`)
      if (whole) continue
      for (const name of await columnsOf(from, rid)) {
        await sameAnswer(`${from}/v1/runs/${rid}/${slice}&${name}`, `${to}/v1/runs/${as}/${slice}&${name}`)
      }
    }
  }
  expect(await saidOf(to, as)).toBe(await saidOf(from, rid))
}

/** Expects the same answer at two addresses; false where both are refused: it would be too large. */
async function sameAnswer(a: string, b: string): Promise<boolean> {
  const [one, other] = [await fetch(a, AS_PROTOBUF), await fetch(b, AS_PROTOBUF)]
  expect(other.status, b).toBe(one.status)
  expect([200, 413]).toContain(one.status)
  const [mine, theirs] = [Buffer.from(await one.arrayBuffer()), Buffer.from(await other.arrayBuffer())]
  if (one.status === 200) expect(Buffer.compare(mine, theirs), a).toBe(0)
  return one.status === 200
}

/** Parameters that name each column of which a draw fits into an answer; to refuse another takes long. */
async function columnsOf(url: string, rid: string): Promise<string[]> {
  const run = await new HttpBackend({ url }).getRun(rid)
  const fitting = (run?.schema.columns ?? []).filter((spec) => spec.layout === 'ragged' || spec.elements < 2 ** 26)
  return fitting.flatMap((spec) => queryOfColumns([spec]).parameters)
}

const AS_PROTOBUF = { headers: { Accept: PROTOBUF } }

async function bytesAt(url: string, path: string): Promise<Buffer> {
  const answer = await fetch(url + path, AS_PROTOBUF)
  expect(answer.status, path).toBe(200)
  return Buffer.from(await answer.arrayBuffer())
}

async function jsonAt(url: string, path: string): Promise<JsonObject> {
  const answer = await fetch(url + path, { headers: { Accept: JSON_TYPE } })
  expect(answer.status, path).toBe(200)
  const value = parseJson(await answer.text())
  return isObject(value) ? value : {}
}

async function chainsOf(url: string, rid: string): Promise<{ readonly chain: number; readonly length: number }[]> {
  const { chains } = await jsonAt(url, `/v1/runs/${rid}/chains`)
  if (!Array.isArray(chains)) throw new Error('the answer has no chains')
  return chains.map((each) => ({ chain: Number(each.chain), length: Number(each.length) }))
}

/** Name, tags, notes, facts and attributes as text, in which integers of any size differ. */
async function saidOf(url: string, rid: string): Promise<string> {
  const {
    name = null,
    tags = null,
    notes = null,
    archived = null,
    facts = null,
    attributes = null,
  } = await jsonAt(url, `/v1/runs/${rid}/about`)
  return jsonText({ name, tags, notes, archived, facts, attributes })
}
