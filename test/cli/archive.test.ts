/** Archives of runs of every kind: the same bytes elsewhere, also behind faults; and refusals of those that are damaged. */
import { copyFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KIND } from '../../src/cli/archive/format.ts'
import { importRun, verifyArchive } from '../../src/cli/archive/import.ts'
import { ArchiveReader, type ArchiveRecord } from '../../src/cli/archive/reader.ts'
import { renamed } from '../../src/cli/archive/rename.ts'
import { FileSource, type Source, StreamSource } from '../../src/cli/archive/source.ts'
import { ArchiveWriter } from '../../src/cli/archive/writer.ts'
import { CliError } from '../../src/cli/cli-error.ts'
import { HttpBackend } from '../../src/client/index.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { decodeRunMeta, encodeRunMeta } from '../../src/core/wire/run-meta.ts'
import { expectMoved, expectSame, exported, imported, ridsOf } from '../support/moved.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { registerKinds } from './kinds.ts'
import { FAULTS, openFaulty, openServer, type TestServer } from './served.ts'

let folder: string
let from: TestServer
let to: TestServer
const file = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = newFolder()
  from = await openServer()
  to = await openServer()
  await registerKinds(from.url)
}, 120_000)
afterAll(async () => {
  await from.close()
  await to.close()
  removeFolder(folder)
})

/** A source of bytes in memory, in pieces of odd sizes. */
function sourceOf(bytes: Uint8Array): Source {
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += 777) yield bytes.subarray(at, at + 777)
  }
  return new StreamSource(pieces())
}

async function recordsOf(bytes: Uint8Array): Promise<{ readonly record: ArchiveRecord; readonly end: number }[]> {
  const reader = new ArchiveReader(sourceOf(bytes))
  await reader.begin()
  const all: { record: ArchiveRecord; end: number }[] = []
  for (let record = await reader.next(); record !== undefined; record = await reader.next()) {
    all.push({ record, end: reader.end })
  }
  return all
}

/** Records but for the time of the export. */
async function contentOf(path: string) {
  return (await recordsOf(readFileSync(path)))
    .slice(1)
    .map(({ record: { head, payload } }) => [head, Buffer.from(payload)])
}

/** The run in an archive, and the lengths of its chains. */
async function originIn(path: string) {
  const reader = new ArchiveReader(sourceOf(readFileSync(path)))
  await reader.begin()
  await reader.next()
  return reader.contents.origin
}

/** Refusal of an archive; undefined where it is taken. */
async function refusalOf(bytes: Uint8Array): Promise<string | undefined> {
  try {
    await verifyArchive(sourceOf(bytes))
    return undefined
  } catch (error) {
    if (error instanceof CliError) return error.message
    throw error
  }
}

test('runs of every kind are the same elsewhere, and once more from there', async () => {
  const rids = await ridsOf(from.url)
  expect(rids.length).toBeGreaterThanOrEqual(8)
  expect(await expectMoved(from.url, to.url)).toBe(rids.length)
  // Again: nothing is stored twice, and all is there.
  await expectMoved(from.url, to.url)
})

test('under another rid, the rest of the metadata stays as it was', async () => {
  await exported(from.url, 'newer', file('newer.mcb'))
  expect((await imported(to.url, file('newer.mcb'), { as: 'newer-copy' })).rid).toBe('newer-copy')
  await expectSame(from.url, to.url, 'newer', 'newer-copy')
  const bytes = encodeRunMeta({ rid: 'a', variables: [{ name: 'x', dtype: 'float64' }] })
  expect(decodeRunMeta(renamed(bytes, 'longer-name'))).toMatchObject({ rid: 'longer-name', variables: [{ name: 'x' }] })
  expect(renamed(renamed(bytes, 'longer-name'), 'a')).toEqual(bytes)
  expect(decodeRunMeta(renamed(encodeRunMeta({ variables: [{ name: 'x' }] }), 'r'))).toMatchObject({ rid: 'r' })
})

test('a network that fails changes nothing but the time', async () => {
  const [out, into] = [await openFaulty(from.url), await openFaulty(to.url)]
  try {
    await exported(from.url, 'many-chains', file('calm.mcb'))
    await exported(out.url, 'many-chains', file('faulty.mcb'))
    expect(await contentOf(file('faulty.mcb'))).toEqual(await contentOf(file('calm.mcb')))
    await imported(into.url, file('faulty.mcb'), { as: 'through-faults' })
    await expectSame(from.url, to.url, 'many-chains', 'through-faults')
    for (const { met } of [out, into]) expect(new Set(met)).toEqual(new Set(FAULTS))
  } finally {
    await out.close()
    await into.close()
  }
}, 120_000)

test('a server that takes smaller bodies gets smaller ones', async () => {
  const small = await openServer({ ...DEFAULT_LIMITS, bodyBytes: 900_000, batchIterations: 1000 })
  try {
    for (const rid of ['ragged', 'strings', 'numbers', 'many-chains']) {
      await exported(from.url, rid, file(`${rid}-small.mcb`))
      await imported(small.url, file(`${rid}-small.mcb`))
      await expectSame(from.url, small.url, rid)
    }
    await exported(from.url, 'huge-draw', file('huge-small.mcb'))
    await expect(imported(small.url, file('huge-small.mcb'))).rejects.toMatchObject({ code: 'payload_too_large' })
  } finally {
    await small.close()
  }
}, 120_000)

describe('what is in the way', () => {
  const meta = { variables: [{ name: 'x', dtype: 'float64' }] }
  const draws = (values: readonly number[]) => ({
    count: values.length,
    draws: new Map([['x', { dtype: 'float64', shape: [values.length], data: new Float64Array(values) } as const]]),
  })

  test('another run under the rid, or other draws, are errors, and nothing is written', async () => {
    const source = new HttpBackend({ url: from.url })
    const run = await source.initRun({ ...meta, rid: 'contested' })
    const chain = await run.initChain(0)
    await chain.appendBatch(draws([1, 2, 3]))
    await exported(from.url, 'contested', file('contested.mcb'))
    const target = new HttpBackend({ url: to.url })
    await target.initRun({ rid: 'contested', variables: [{ name: 'y', dtype: 'float64' }] })
    await expect(imported(to.url, file('contested.mcb'))).rejects.toThrow(/another run "contested".*--as RID/)
    const other = await target.initRun({ ...meta, rid: 'other-draws' })
    const there = await other.initChain(0)
    for (const [stored, length] of [
      [[9], 1],
      [[9, 2], 2],
    ] as const) {
      await there.appendBatch({ ...draws(stored), start: 0 }).catch(() => undefined)
      await expect(imported(to.url, file('contested.mcb'), { as: 'other-draws' })).rejects.toMatchObject({
        code: 'draw_conflict',
        message: expect.stringContaining('draws 0 to 2 of chain 0 differ'),
      })
      expect(await there.length()).toBe(length)
    }
    await source.deleteRun('contested')
  })

  test('a run with Python objects is refused by its name and that of the array, and nothing is registered', async () => {
    const source = new HttpBackend({ url: from.url })
    await source.initRun({ ...meta, rid: 'of-objects' })
    await exported(from.url, 'of-objects', file('plain.mcb'))
    const values = { data: new Uint8Array(16), dtype: 'object', shape: [2], order: 'C' }
    const metadata = encodeRunMeta({ ...meta, rid: 'of-objects', coordinates: [{ name: 'day', values }] })
    const parts: Uint8Array[] = []
    const writer = new ArchiveWriter(async (more) => void parts.push(...more))
    await writer.begin(await originIn(file('plain.mcb')))
    await writer.record(KIND.metadata, metadata)
    await writer.end()
    writeFileSync(file('of-objects.mcb'), Buffer.concat(parts))
    await expect(imported(to.url, file('of-objects.mcb'))).rejects.toMatchObject({
      code: 'unsupported_dtype',
      message: expect.stringMatching(/run "of-objects" is not taken: coordinate "day": dtype "object".*client\.store/),
    })
    expect(await new HttpBackend({ url: to.url }).getRun('of-objects')).toBeUndefined()
    await source.deleteRun('of-objects')
  })

  test('draws behind those of the archive stay, and are told', async () => {
    const source = new HttpBackend({ url: from.url })
    const run = await source.initRun({ ...meta, rid: 'grown' })
    const chain = await run.initChain(0)
    await chain.appendBatch(draws([1, 2, 3]))
    await exported(from.url, 'grown', file('grown.mcb'))
    await chain.appendBatch(draws([4]))
    expect(await imported(from.url, file('grown.mcb'))).toMatchObject({ beyond: 1, about: 'same' })
    expect(await chain.length()).toBe(4)
  })

  test('a name that somebody has given since is kept', async () => {
    await exported(from.url, '~odd.NAME_-', file('named.mcb'))
    const target = new HttpBackend({ url: to.url })
    expect(await imported(to.url, file('named.mcb'), { as: 'renamed' })).toMatchObject({ about: 'set' })
    expect(await imported(to.url, file('named.mcb'), { as: 'renamed' })).toMatchObject({ about: 'same' })
    const run = await target.getRun('renamed')
    await run?.setAbout({ name: 'newer' })
    expect(await imported(to.url, file('named.mcb'), { as: 'renamed' })).toMatchObject({ about: 'kept' })
    expect(await run?.about()).toMatchObject({ name: 'newer' })
  })
})

describe('interruptions', () => {
  test('an export that was cut anywhere goes on, and a damaged end is fetched again', async () => {
    const whole = file('whole.mcb')
    await exported(from.url, 'many-chains', whole)
    const bytes = readFileSync(whole)
    const wanted = await contentOf(whole)
    const ends = (await recordsOf(bytes)).map(({ end }) => end)
    const cuts = [0, 1, 15, 16, 17, ...ends.slice(0, 6), ...ends.slice(-3)].flatMap((end) => [
      end - 1,
      end,
      end + 1,
      end + 17,
      end + 40,
    ])
    for (const cut of new Set(cuts.filter((at) => at >= 0 && at <= bytes.length))) {
      const path = file(`cut-${cut}.mcb`)
      copyFileSync(whole, `${path}.part`)
      truncateSync(`${path}.part`, cut)
      await exported(from.url, 'many-chains', path)
      expect(await contentOf(path), `cut at ${cut}`).toEqual(wanted)
      expect(existsSync(`${path}.part`)).toBe(false)
    }
    const damaged = Buffer.from(bytes)
    const middle = ends[10] ?? 0
    damaged[middle + 20] = (damaged[middle + 20] ?? 0) ^ 1
    writeFileSync(file('healed.mcb.part'), damaged)
    await exported(from.url, 'many-chains', file('healed.mcb'))
    expect(await contentOf(file('healed.mcb'))).toEqual(wanted)
  }, 120_000)

  test('the beginning of another export is not gone on with', async () => {
    await exported(from.url, 'newer', file('one.mcb'))
    copyFileSync(file('one.mcb'), file('two.mcb.part'))
    await expect(exported(from.url, 'numbers', file('two.mcb'))).rejects.toThrow(
      /another export: it is of run "newer"; remove/,
    )
    writeFileSync(file('three.mcb.part'), 'somebody else’s file, which is not an archive')
    await expect(exported(from.url, 'numbers', file('three.mcb'))).rejects.toThrow(/no archive.*remove/)
    const backend = new HttpBackend({ url: from.url })
    const meta = { rid: 'again', variables: [{ name: 'x', dtype: 'float64' }] }
    await backend.initRun(meta)
    await exported(from.url, 'again', file('four.mcb'))
    copyFileSync(file('four.mcb'), file('five.mcb.part'))
    await backend.deleteRun('again')
    await backend.initRun(meta)
    await expect(exported(from.url, 'again', file('five.mcb'))).rejects.toThrow(/deleted and registered again since/)
  })

  test('a run that is deleted meanwhile is an error, and no archive', async () => {
    const backend = new HttpBackend({ url: from.url })
    const run = await backend.initRun({ rid: 'fleeting', variables: [{ name: 'x', dtype: 'float64' }] })
    await backend.deleteRun('fleeting')
    const { exportToFile } = await import('../../src/cli/archive/export-file.ts')
    const of = { options: { url: from.url }, rid: 'fleeting', registration: run.registration, schema: run.schema }
    await expect(exportToFile(of, run, file('fleeting.mcb'), {})).rejects.toMatchObject({ code: 'run_not_found' })
    await backend.initRun({ rid: 'fleeting', variables: [{ name: 'x', dtype: 'float64' }] })
    await expect(exportToFile(of, run, file('fleeting.mcb'), {})).rejects.toMatchObject({ code: 'run_replaced' })
    expect(existsSync(file('fleeting.mcb'))).toBe(false)
  })

  test('an import that was cut behind any record goes on', async () => {
    await exported(from.url, 'ragged', file('ragged.mcb'))
    const count = (await recordsOf(readFileSync(file('ragged.mcb')))).length
    expect(count).toBeGreaterThan(5)
    for (let most = 1; most < count - 3; most++) {
      let told = 0
      const tell = () => {
        if (++told >= most) throw new Error('cut')
      }
      const source = await FileSource.open(file('ragged.mcb'))
      await expect(importRun({ url: to.url }, source, { verify: false, as: `cut-${most}`, tell })).rejects.toThrow(
        'cut',
      )
      await source.close()
      await imported(to.url, file('ragged.mcb'), { as: `cut-${most}`, verify: most % 2 === 0 })
      await expectSame(from.url, to.url, 'ragged', `cut-${most}`)
    }
  })
})

describe('damage', () => {
  let bytes: Buffer

  beforeAll(async () => {
    await exported(from.url, 'strings', file('strings.mcb'))
    bytes = readFileSync(file('strings.mcb'))
    const short = new HttpBackend({ url: from.url })
    const run = await short.initRun({ rid: 'short', variables: [{ name: 'x', dtype: 'int8' }] })
    for (const number of [0, 3]) {
      const chain = await run.initChain(number)
      await chain.appendBatch({
        count: 2,
        draws: new Map([['x', { dtype: 'int8', shape: [2], data: new Int8Array([1, 2]) }]]),
      })
    }
    await exported(from.url, 'short', file('short.mcb'))
    bytes = readFileSync(file('short.mcb'))
  })

  test('any bit that is flipped is told, with the record', async () => {
    expect(await refusalOf(bytes)).toBeUndefined()
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
      expect(await refusalOf(flipped), `byte ${at}`).toMatch(
        at < 8
          ? /no archive of a run/
          : at < 16
            ? /head of the archive is damaged/
            : /record \d+ of the archive.* at byte \d+, is damaged/,
      )
    }
  })

  test('a file that was cut anywhere is told, and one that has more', async () => {
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(await refusalOf(bytes.subarray(0, cut)), `cut at ${cut}`).toMatch(
        cut < 16 ? /cut off in its head/ : /cut off in record \d+/,
      )
    }
    for (const more of ['x', 'more than a record has in its head']) {
      expect(await refusalOf(Buffer.concat([bytes, Buffer.from(more)]))).toMatch(/more behind the end/)
    }
  })

  test('records that are missing, doubled or swapped are told', async () => {
    const ends = [16, ...(await recordsOf(bytes)).map(({ end }) => end)]
    const parts = ends.slice(1).map((end, i) => bytes.subarray(ends[i], end))
    const joined = (order: readonly number[]) =>
      Buffer.concat([bytes.subarray(0, 16), ...order.map((i) => parts[i] ?? bytes)])
    expect(await refusalOf(joined(parts.map((_, i) => i)))).toBeUndefined()
    for (const order of [
      [0, 1, 2, 4, 5],
      [0, 1, 2, 3, 3, 4, 5],
      [0, 1, 2, 4, 3, 5],
      [1, 0, 2, 3, 4, 5],
      [0, 1, 2, 5],
    ]) {
      expect(await refusalOf(joined(order)), order.join()).toMatch(/record \d+ of the archive.* is damaged/)
    }
  })

  test('nothing is registered for an archive that is not whole', async () => {
    writeFileSync(file('cut.mcb'), bytes.subarray(0, bytes.length - 5))
    await expect(imported(to.url, file('cut.mcb'), { as: 'from-cut' })).rejects.toThrow(/cut off in record/)
    expect(await new HttpBackend({ url: to.url }).getRun('from-cut')).toBeUndefined()
  })

  test('an archive of a later version is told', async () => {
    const { archiveHead, sumBytes, sumOf } = await import('../../src/cli/archive/format.ts')
    const head = archiveHead().bytes
    head[8] = 2
    head.set(sumBytes(sumOf(head.subarray(0, 12), 0)), 12)
    expect(await refusalOf(Buffer.concat([head, bytes.subarray(16)]))).toMatch(/version 2; this mcb knows 1/)
  })
})
