/** Plans of requests: as few as bring the missing draws, none of them large, and no draw that is not needed. */
import type { RigidNumbers } from '../../../src/core/draws/columns.ts'
import type { ElementRanges } from '../../../src/core/draws/elements.ts'
import { grouped } from './group.ts'
import type { Series } from './series.ts'
import { URGENCY, type Urgency } from './turns.ts'

/** Draws that are missing of one element of a column in a chain. */
export interface Missing {
  readonly name: string
  readonly chain: number
  readonly spec: RigidNumbers
  readonly element: number
  readonly series: Series
  /** Iteration behind the last draw that is wanted; the first is where the series ends. */
  readonly stop: number
}

/** Draws of one chain that one answer brings, page after page. */
export interface Fetch {
  readonly chain: number
  readonly start: number
  readonly stop: number
  /** Whole columns, or one of which only these elements are asked for. */
  readonly columns: readonly RigidNumbers[]
  readonly elements?: ElementRanges | undefined
  readonly missing: readonly Missing[]
  /** Draws of an answer. */
  readonly page: number
}

/** Values of one answer: 8 MiB of doubles, or 2 MiB where others must not wait for it. */
const PAGE = 1024 * 1024
const SMALL_PAGE = PAGE / 4
/** A column is fetched whole where it has few elements, or where most of them are wanted, and so little comes in vain. */
const FEW_ELEMENTS = 16
const FEW_VALUES = 128 * 1024
/** Elements of a request, and characters of its query. */
const MOST_ELEMENTS = 2000
const MOST_CHARACTERS = 4000

export function planFetches(missing: readonly Missing[], urgency: Urgency): Fetch[] {
  const most = urgency === URGENCY.seen ? PAGE : SMALL_PAGE
  const fetches: Fetch[] = []
  const bundles = new Map<string, Missing[][]>()
  for (const group of grouped(missing, (each) => `${placeOf(each)}/${each.spec.index}`).values()) {
    const [one] = group
    if (one === undefined) continue
    if (!isFetchedWhole(one, group.length)) fetches.push(...elementFetches(group, most))
    else bundles.set(placeOf(one), [...(bundles.get(placeOf(one)) ?? []), group])
  }
  for (const columns of bundles.values()) fetches.push(...wholeFetches(columns, most))
  return fetches
}

function placeOf({ chain, series, stop }: Missing): string {
  return `${chain}/${series.end}/${stop}`
}

function isFetchedWhole({ spec, series, stop }: Missing, wanted: number): boolean {
  if (2 * wanted >= spec.elements) return true
  return spec.elements <= FEW_ELEMENTS && spec.elements * (stop - series.end) <= FEW_VALUES
}

/** Whole columns together, as many as one answer may hold. */
function wholeFetches(columns: readonly Missing[][], most: number): Fetch[] {
  const fetches: Fetch[] = []
  let bundle: Missing[][] = []
  let [values, characters] = [0, 0]
  const flush = () => {
    const missing = bundle.flat()
    const specs = bundle.flatMap(([one]) => one?.spec ?? [])
    const [one] = missing
    if (one !== undefined) fetches.push({ ...extentOf(one), columns: specs, missing, page: pageOf(values, most) })
    bundle = []
    values = 0
    characters = 0
  }
  for (const group of columns) {
    const [one] = group
    if (one === undefined) continue
    const count = one.stop - one.series.end
    const length = 6 + encodeURIComponent(one.spec.name).length
    const isFull = (values + one.spec.elements) * count > most || characters + length > MOST_CHARACTERS
    if (bundle.length > 0 && isFull) flush()
    bundle.push(group)
    values += one.spec.elements
    characters += length
  }
  flush()
  return fetches
}

/** Some elements of one column, neighbours as ranges. */
function elementFetches(group: readonly Missing[], most: number): Fetch[] {
  const sorted = [...group].sort((a, b) => a.element - b.element)
  const fetches: Fetch[] = []
  const [one] = sorted
  if (one === undefined) return fetches
  const each = Math.max(1, Math.min(MOST_ELEMENTS, Math.floor(most / Math.max(1, one.stop - one.series.end))))
  for (let i = 0; i < sorted.length; i += each) {
    const missing = sorted.slice(i, i + each)
    const elements = { ranges: rangesOf(missing.map(({ element }) => element)), count: missing.length }
    fetches.push({ ...extentOf(one), columns: [one.spec], elements, missing, page: pageOf(missing.length, most) })
  }
  return fetches
}

function extentOf({ chain, series, stop }: Missing): Pick<Fetch, 'chain' | 'start' | 'stop'> {
  return { chain, start: series.end, stop }
}

function pageOf(values: number, most: number): number {
  return Math.max(1, Math.floor(most / Math.max(1, values)))
}

function rangesOf(elements: readonly number[]): [from: number, to: number][] {
  const ranges: [number, number][] = []
  for (const element of elements) {
    const last = ranges.at(-1)
    if (last?.[1] === element) last[1]++
    else ranges.push([element, element + 1])
  }
  return ranges
}
