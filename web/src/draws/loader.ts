/** Draws of a run on their way into the shelf: no draw is asked for twice, whoever wants it. */
import type { RigidNumbers } from '../../../src/core/draws/columns.ts'
import { formatElements } from '../../../src/core/draws/elements.ts'
import { isDrawList } from '../../../src/core/draws/values.ts'
import { PROTOBUF } from '../../../src/core/media-types.ts'
import { type DecodedAnswer, decodeAnswer, decodeElements } from '../../../src/core/wire/read-answer.ts'
import { ApiProblem } from '../api/http.ts'
import { type Fetch, type Missing, planFetches } from './plan.ts'
import type { OpenedRun } from './questions.ts'
import type { Requests } from './requests.ts'
import type { Series, Shelf } from './series.ts'
import { Shared } from './shared.ts'
import { URGENCY, type Urgency } from './turns.ts'

/** Draws of one element in a chain, by iterations: `stop` is behind the last. */
export interface Wanted {
  readonly chain: number
  readonly spec: RigidNumbers
  readonly element: number
  /** Iteration from which on draws are kept: 0, or `start` where those before it are too many. */
  readonly first: number
  readonly start: number
  readonly stop: number
}

/** Values from which on a fetch lets what is looked at go first. */
const LARGE = 100_000

export interface Waiting {
  readonly urgency: Urgency
  readonly signal: AbortSignal
}

export class Loader {
  private readonly run: OpenedRun
  private readonly shelf: Shelf
  private readonly requests: Requests
  private readonly fillings = new WeakMap<Series, Shared>()

  constructor(run: OpenedRun, shelf: Shelf, requests: Requests) {
    this.run = run
    this.shelf = shelf
    this.requests = requests
  }

  /** Number of values that would have to be fetched. */
  missing(wanted: readonly Wanted[]): number {
    return wanted.reduce((n, each) => n + Math.max(0, each.stop - this.seriesOf(each).end), 0)
  }

  /** Views of the draws, in the order in which they are wanted. @throws ApiProblem; the reason of the signal */
  async load(wanted: readonly Wanted[], { urgency, signal }: Waiting): Promise<Float64Array<ArrayBuffer>[]> {
    // Held here: the shelf may forget them before the last has come.
    const all = wanted.map((each) => ({ ...each, name: this.nameOf(each), series: this.seriesOf(each) }))
    for (;;) {
      signal.throwIfAborted()
      const missing = all.filter(({ series, stop }) => series.end < stop)
      if (missing.length === 0) return all.map(({ series, start, stop }) => series.view(start, stop))
      for (const fetch of planFetches(each(missing.filter(({ series }) => !this.isComing(series))), urgency)) {
        this.fill(fetch, urgency)
      }
      const fillings = new Set(missing.flatMap(({ series }) => this.fillings.get(series) ?? []))
      await Promise.all([...fillings].map((filling) => filling.join(signal)))
    }
  }

  private nameOf({ chain, spec, element, first }: Omit<Wanted, 'start' | 'stop'>): string {
    return `${this.run.registration}/${chain}/${spec.index}/${element}/${first}`
  }

  private seriesOf(wanted: Wanted): Series {
    return this.shelf.of(this.nameOf(wanted), wanted.first)
  }

  private isComing(series: Series): boolean {
    return this.fillings.get(series)?.isAbandoned === false
  }

  private fill(fetch: Fetch, urgency: Urgency): void {
    const shared: Shared = new Shared(async (signal) => {
      try {
        await this.fetch(fetch, urgency, signal)
      } finally {
        for (const { series } of fetch.missing) if (this.fillings.get(series) === shared) this.fillings.delete(series)
      }
    })
    for (const { series } of fetch.missing) this.fillings.set(series, shared)
  }

  private async fetch(fetch: Fetch, urgency: Urgency, signal: AbortSignal): Promise<void> {
    const { chain, start, stop, page, missing } = fetch
    if (urgency !== URGENCY.seen && missing.length * (stop - start) > LARGE) await this.requests.quiet(signal)
    for (let from = start; from < stop; from += page) {
      const to = Math.min(stop, from + page)
      const path = `/chains/${chain}/draws?${queryOf(fetch)}&start=${from}&stop=${to}`
      const bytes = await this.requests.bytes({ run: this.run, path, accept: PROTOBUF, urgency, signal })
      this.take(fetch, bytes, from, to)
    }
  }

  /** Adds the draws of an answer to all series that they belong to. */
  private take(fetch: Fetch, bytes: Uint8Array<ArrayBuffer>, from: number, to: number): void {
    const { columns, elements, missing } = fetch
    const answer = decoded(fetch, bytes)
    if (answer.start !== from || answer.count !== to - from) {
      throw notWhole(`${answer.count} draws, not the ${to - from} that were asked for`)
    }
    for (const [position, spec] of columns.entries()) {
      const draws = answer.draws[position]
      if (draws === undefined || isDrawList(draws) || draws.dtype === 'str') continue
      const { data } = draws
      const step = elements?.count ?? spec.elements
      for (const [offset, { name, series }] of elements === undefined
        ? this.ofColumn(fetch, spec)
        : missing.entries()) {
        this.shelf.grow(name, series, (each) => each.add(from, data, offset, step))
      }
    }
  }

  /** Series of all elements of a column that came whole, those that are not wanted as well. */
  private *ofColumn(
    { chain, start, missing }: Fetch,
    spec: RigidNumbers,
  ): Generator<[number, Pick<Missing, 'name' | 'series'>]> {
    const wanted = new Map(missing.filter((each) => each.spec === spec).map((each) => [each.element, each]))
    const first = [...wanted.values()][0]?.series.first ?? start
    for (let element = 0; element < spec.elements; element++) {
      const name = this.nameOf({ chain, spec, element, first })
      yield [element, wanted.get(element) ?? { name, series: this.shelf.of(name, first) }]
    }
  }
}

/** @throws ApiProblem for what is no answer: the same request may do well later */
function decoded({ columns, elements }: Fetch, bytes: Uint8Array<ArrayBuffer>): DecodedAnswer {
  const [only] = columns
  try {
    return elements === undefined || only === undefined
      ? decodeAnswer(bytes, columns)
      : decodeElements(bytes, only, elements)
  } catch (error) {
    throw notWhole(error instanceof Error ? error.message : String(error))
  }
}

function notWhole(why: string): ApiProblem {
  return new ApiProblem(0, 'away', `the answer is not whole: ${why}`)
}

/** A scalar may be wanted twice, as both axes of a plot. */
function each(missing: readonly Missing[]): Missing[] {
  return [...new Map(missing.map((one) => [one.series, one])).values()]
}

function queryOf({ columns, elements }: Fetch): string {
  const names = columns.map(({ group, name }) => `${group === 'draws' ? 'var' : 'stat'}=${encodeURIComponent(name)}`)
  if (elements === undefined) return names.join('&')
  return `${names[0]}&elem=${formatElements(elements.ranges)}`
}
