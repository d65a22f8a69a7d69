/** A chain of a stored run, as a CSV file of Stan. */

import { numericArray } from '../core/draws/ndarray.ts'
import type { RunAbout } from '../core/interfaces.ts'
import { isObject, type JsonObject, type JsonValue } from '../core/json.ts'
import { pieces } from '../core/selection.ts'
import { settingText, type WrittenChain, writeChain } from '../core/stan/writer.ts'
import { type WrittenColumns, writtenColumns } from '../core/stan/written-columns.ts'
import type { ChainState } from '../core/store.ts'
import type { StoreBackend, StoreRun } from './backend.ts'

/** A part of a chain at one moment. */
export interface StanPart {
  readonly state: ChainState
  readonly warmup: 'include' | 'exclude'
}

/** The text of a file, made while it is read. */
export async function* stanChain(backend: StoreBackend, run: StoreRun, part: StanPart): AsyncGenerator<string> {
  const { state } = part
  const [warmup = 0] = await backend.warmupOf(run, [state])
  const columns = writtenColumns(run.schema)
  const about = await run.about()
  const start = part.warmup === 'exclude' ? warmup : 0
  const specs = [...columns.stats, ...columns.draws].map(({ spec }) => spec)
  const chain = await describeChain(run, about, {
    state,
    warmup: warmup - start,
    left: start,
    columns,
  })
  yield* writeChain(chain, columns, run.select(state, specs, { slice: { start, stop: state.length } }))
}

interface Extent {
  readonly state: ChainState
  /** Warmup draws in the file, and those that are not. */
  readonly warmup: number
  readonly left: number
  readonly columns: WrittenColumns
}

async function describeChain(run: StoreRun, about: RunAbout, extent: Extent): Promise<WrittenChain> {
  const { state, warmup, left, columns } = extent
  const { attributes, facts } = about
  const own = memberOf(memberOf(facts, 'chains'), String(state.chain))
  const given = (name: string, otherwise: string) => textOf(attributes[name]) ?? otherwise
  const settings = memberOf(facts, 'settings')
  const told = countOf(attributes.num_warmup) ?? countOf(memberOf(facts, 'expected').warmup)
  const version = textOf(memberOf(memberOf(facts, 'environment'), 'packages').stan) ?? ''
  const [, major = '2', minor = '36', patch = '0'] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []
  return {
    chain: state.chain,
    model: settingText(textOf(attributes.model) ?? about.name ?? run.rid) || 'model',
    warmup,
    draws: state.length - left - warmup,
    warmupOutside: left > 0 ? left : told === 0 ? undefined : told,
    version: [major, minor, patch],
    seed: textOf(own.seed) ?? '1',
    maxDepth: settingText(given('max_depth', textOf(settings.max_depth) ?? '10')),
    delta: settingText(given('delta', '0.8')),
    stepSize: numberOf(own.stepSize) ?? (await lastStepSize(run, state, columns)) ?? 1,
    inverseMetric: metricOf(own.inverseMetric) ?? [1],
    seconds: { warmup: numberOf(own.warmupTime) ?? 0, total: numberOf(own.samplingTime) ?? 0 },
  }
}

/** The step size of the last draw, which is that of all draws behind the warmup. */
async function lastStepSize(run: StoreRun, state: ChainState, { stats }: WrittenColumns): Promise<number | undefined> {
  const spec = stats.find(({ name }) => name === 'stepsize__')?.spec
  if (spec === undefined || state.length === 0) return undefined
  for await (const { data } of pieces(run.select(state, [spec], { slice: { start: -1 } }))) {
    const value = Number(numericArray(spec.dtype, [], data).data[0])
    if (Number.isFinite(value) && value > 0) return value
  }
  return undefined
}

function memberOf(object: JsonObject, name: string): JsonObject {
  const member = Object.hasOwn(object, name) ? object[name] : undefined
  return isObject(member) ? member : {}
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? String(value) : undefined
}

function numberOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}

function countOf(value: JsonValue | undefined): number | undefined {
  const number = Number(textOf(value) ?? Number.NaN)
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

function metricOf(value: JsonValue | undefined): number[] | number[][] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined
  const numbers = value.filter((item) => typeof item === 'number')
  if (numbers.length === value.length) return numbers
  const rows = value.flatMap((row) => {
    const own = Array.isArray(row) ? row.filter((item) => typeof item === 'number') : []
    return own.length === value.length ? [own] : []
  })
  return rows.length === value.length ? rows : undefined
}
