/** The golden files through the client: as others wrote them, read by it, and written by it, read as bytes. */
import { describe, expect, test } from 'vitest'
import { RunDescription } from '../../../src/core/description.ts'
import type { ColumnSpec } from '../../../src/core/draws/columns.ts'
import type { NdArray } from '../../../src/core/draws/ndarray.ts'
import { drawAt } from '../../../src/core/draws/values.ts'
import { mcbackend } from '../../../src/core/generated/messages.js'
import type { Draws } from '../../../src/core/interfaces.ts'
import { jsonText } from '../../../src/core/json.ts'
import { decodeRunMeta } from '../../../src/core/wire/run-meta.ts'
import { runMetaToJson } from '../../../src/core/wire/run-meta-json.ts'
import { expectSameDraws, texts } from '../../../test/conformance/arrays.ts'
import {
  describeArray,
  type GoldenColumn,
  goldenBatch,
  goldenBytes,
  goldenNames,
  goldenRun,
  hex,
} from '../../../test/core/golden.ts'
import type { DriverRun } from '../backend.ts'
import { isRecord, ProtocolError } from '../protocol.ts'
import { arraysFromWire } from '../wire.ts'
import { goldenDraws } from './golden-draws.ts'
import type { Bytes } from './raw.ts'
import type { World } from './world.ts'

/** The arrays that a client must understand (docs/protocol.md §1); others it may refuse. */
const KNOWN = /^(bool|u?int(8|16|32|64)|float(32|64)|datetime64\[.+\]|<U\d+)$/

/** A RunMeta of a golden file under another id: of a field that occurs twice the last one counts. */
function withRid(name: string, rid: string): Bytes {
  return new Uint8Array([...goldenBytes(`runmeta/${name}`), 0x0a, rid.length, ...Buffer.from(rid)])
}

const jsonOf = (meta: Uint8Array<ArrayBuffer>): unknown => JSON.parse(jsonText(runMetaToJson(decodeRunMeta(meta))))

interface Description {
  readonly arrays: ReadonlyMap<string, NdArray>
  readonly dims: Readonly<Record<string, unknown>>
}

/** All that `describe` tells, its arrays by the paths of the golden files. */
async function describeRun(
  world: World,
  { handle }: DriverRun,
  isObserved: (name: string) => boolean,
): Promise<Description> {
  return world.client.ask('describe', { run: handle }, (ok) => {
    const { coords, dims, constantData, observedData } = isRecord(ok) ? ok : {}
    if (!isRecord(dims)) throw new ProtocolError('"dims" is an object')
    const named = (place: string, arrays: unknown) =>
      [...arraysFromWire(arrays)].map(([name, array]) => [`${place}.${name}`, array] as const)
    const [observed, constant] = [named('data', observedData), named('data', constantData)]
    expect(
      observed.every(([path]) => isObserved(path.slice(5))),
      'observed data',
    ).toBe(true)
    expect(
      constant.some(([path]) => isObserved(path.slice(5))),
      'constant data',
    ).toBe(false)
    return { arrays: new Map([...named('coordinates', coords), ...observed, ...constant]), dims }
  })
}

/** Columns of `draws/variables` that the client holds: of all its variables, and its stats. */
interface Columns {
  readonly meta: mcbackend.RunMeta
  readonly draws: ReadonlyMap<string, Draws>
  readonly stats: ReadonlyMap<string, Draws>
}

const COUNT = 3

function columnsFor(world: World): Columns {
  const meta = decodeRunMeta(goldenBytes('runmeta/variables'))
  const golden = goldenBatch('variables')
  const kept = (columns: readonly GoldenColumn[], variables: readonly mcbackend.Variable.$Properties[]) => {
    const byName = columns.map((column) => {
      const variable = variables.find(({ name }) => name === column.name)
      const shape = (variable?.shape ?? []).map(Number)
      const isRagged = variable?.undefinedNdim || shape.includes(-1)
      return [column.name, goldenDraws(column, COUNT, isRagged ? undefined : shape)] as const
    })
    return new Map(byName.filter(([, draws]) => world.lacks.holds(draws)))
  }
  const draws = kept(golden.draws, meta.variables)
  const stats = kept(golden.stats, meta.sampleStats)
  meta.variables = meta.variables.filter(({ name }) => draws.has(name ?? ''))
  meta.sampleStats = meta.sampleStats.filter(({ name }) => stats.has(name ?? '') || name === 'warning')
  if (world.lacks.has('str')) meta.sampleStats = meta.sampleStats.filter(({ name }) => name !== 'warning')
  return { meta, draws, stats }
}

/** Draws `variables` on the server, without those columns that the client cannot hold. */
async function storeVariables(world: World, rid: string, { meta, draws, stats }: Columns): Promise<void> {
  meta.rid = rid
  await world.raw.register(rid, new Uint8Array(mcbackend.RunMeta.encode(meta).finish()))
  await world.raw.chain(rid)
  const bytes = goldenBytes('draws/variables')
  const batch = mcbackend.DrawBatch.decode(bytes)
  const isWhole = draws.size === batch.draws.length && stats.size === batch.stats.length
  batch.draws = batch.draws.filter(({ name }) => draws.has(name ?? ''))
  batch.stats = batch.stats.filter(({ name }) => stats.has(name ?? ''))
  await world.raw.append(rid, isWhole ? bytes : batch)
}

/** Names of the columns on the server that are not those of the golden file, bit by bit. */
async function wrongColumns(world: World, rid: string, { draws, stats }: Columns): Promise<string[]> {
  const stored = await world.raw.draws(rid)
  const golden = goldenBatch('variables')
  const wrong = (found: readonly mcbackend.Column.$Properties[], expected: readonly GoldenColumn[]) =>
    expected.flatMap(({ name, data, shapes, strings }) => {
      const column = found.find((each) => each.name === name)
      const words = { data: hex(column?.data ?? new Uint8Array()), shapes: column?.shapes, strings: column?.strings }
      return JSON.stringify(words) === JSON.stringify({ data, shapes, strings }) ? [] : [name]
    })
  return [
    ...wrong(
      stored.draws,
      golden.draws.filter(({ name }) => draws.has(name)),
    ),
    ...wrong(
      stored.stats,
      golden.stats.filter(({ name }) => stats.has(name)),
    ),
  ]
}

export function goldenDuties(world: () => World): void {
  describe.each(goldenNames('runmeta'))('runmeta/%s', (name) => {
    test('is read as it is', async () => {
      const rid = world().newRid()
      await world().raw.register(rid, withRid(name, rid))
      const run = await world().open(rid)
      const meta = new Uint8Array(mcbackend.RunMeta.encode(run.meta).finish())
      expect(jsonOf(meta)).toEqual({ ...goldenRun(name).canonical, rid })
    })

    test('has its coordinates, dimensions and data', async () => {
      world().lacks.need('describe')
      const rid = world().newRid()
      await world().raw.register(rid, withRid(name, rid))
      const run = await world().open(rid)
      const paths = Object.entries(goldenRun(name).arrays).filter(([path]) => !path.startsWith('attributes.'))
      const known = paths.filter(([, { dtype }]) => KNOWN.test(dtype))
      const observed = (data: string) => run.meta.data?.some((each) => each.name === data && each.isObserved) === true
      const described = await describeRun(world(), run, observed).catch((error: unknown) => {
        // Arrays of other dtypes may be refused, all at once.
        if (known.length < paths.length) return undefined
        throw error
      })
      if (described === undefined) return
      for (const [path, { shape, values }] of known) {
        const array = described.arrays.get(path)
        expect(array && describeArray(array), path).toEqual({ shape, values })
      }
      for (const [variable, dims] of new RunDescription(run.meta).dims) {
        if (dims.length > 0) expect(described.dims[variable], `dims of ${variable}`).toEqual(dims)
      }
    })

    test('is registered as it is', async () => {
      const { lacks, backend, raw } = world()
      lacks.need('writing')
      const rid = world().newRid()
      const meta = decodeRunMeta(withRid(name, rid))
      lacks.needRun(meta)
      await backend.initRun(meta)
      expect(jsonOf((await raw.meta(rid)) ?? new Uint8Array())).toEqual({ ...goldenRun(name).canonical, rid })
    })
  })

  test('draws/variables: every dtype and layout, read by the client', async () => {
    const columns = columnsFor(world())
    const rid = world().newRid()
    await storeVariables(world(), rid, columns)
    const chain = await (await world().open(rid)).getChain(0)
    if (chain === undefined) throw new Error('getChain does not find chain 0')
    for (const [name, draws] of columns.draws) expectSameDraws(await chain.getDraws(name), draws)
    for (const [name, draws] of columns.stats) expectSameDraws(await chain.getStats(name), draws)
    if (!world().lacks.has('str')) expectSameDraws(await chain.getStats('warning'), texts([COUNT], ['', '', '']))
  })

  test('draws/variables: every dtype and layout, written as one batch', async () => {
    world().lacks.need('writing')
    const columns = columnsFor(world())
    columns.meta.rid = world().newRid()
    const chain = await (await world().backend.initRun(columns.meta)).initChain(0)
    await chain.appendBatch({ count: COUNT, draws: columns.draws, stats: columns.stats })
    expect(await wrongColumns(world(), columns.meta.rid, columns), 'columns with other bytes on the server').toEqual([])
  })

  test('draws/variables: every dtype and layout, written draw by draw', async () => {
    world().lacks.need('writing')
    const columns = columnsFor(world())
    columns.meta.rid = world().newRid()
    const run = await world().backend.initRun(columns.meta)
    const chain = await run.initChain(0)
    for (let i = 0; i < COUNT; i++) {
      await chain.append(drawsAt(run.schema.draws, columns.draws, i), drawsAt(run.schema.stats, columns.stats, i))
    }
    await chain.flush()
    expect(await wrongColumns(world(), columns.meta.rid, columns), 'columns with other bytes on the server').toEqual([])
  })
}

/** One draw of each column. */
function drawsAt(specs: ReadonlyMap<string, ColumnSpec>, columns: ReadonlyMap<string, Draws>, index: number) {
  const values = new Map<string, NdArray>()
  for (const [name, spec] of specs) {
    const draws = columns.get(name)
    if (draws !== undefined) values.set(name, drawAt(spec, draws, index))
  }
  return values
}
