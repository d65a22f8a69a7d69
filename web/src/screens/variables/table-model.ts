/** State of the table of variables: its rows follow from the address, the labels and the figures. */
import { computed, effect, type ReadonlySignal, signal, untracked } from '@preact/signals'
import type { RunView } from '../../app/place.ts'
import { Figures } from '../../run/figures.ts'
import type { RunModel } from '../../run/model.ts'
import type { RunSchema } from '../../run/schema.ts'
import { columnsFor } from './figure-columns.ts'
import { filterOf } from './filter.ts'
import { Listing, maskOfCoords, rowsOf, type Sort, sortedBy, sortOf } from './listing.ts'
import { Matching } from './matching.ts'
import { SparksCache } from './sparks-cache.ts'

/** Elements of one vector that were chosen on its strip. */
export interface ElementRange {
  readonly name: string
  readonly start: number
  readonly stop: number
}

export class TableModel {
  readonly model: RunModel
  readonly schema: RunSchema
  readonly listing: Listing
  readonly figures: Figures
  readonly sparks: SparksCache
  /** Words for what is wrong with the filter. */
  readonly filterError: ReadonlySignal<string | undefined>
  /** 1 for each scalar that is shown; undefined for all. */
  readonly mask: ReadonlySignal<Uint8Array | undefined>
  readonly rows: ReadonlySignal<Int32Array>
  /** Scalars in the order of the table, those of closed vectors as well. */
  readonly sequence: ReadonlySignal<Uint32Array>
  readonly sort: ReadonlySignal<Sort | undefined>
  readonly toggled: ReadonlySignal<ReadonlySet<string>>
  readonly range: ReadonlySignal<ElementRange | undefined>
  /** Place of the row that keys move. */
  readonly active = signal(0)
  /** Pixels by which the table was scrolled, for when somebody comes back to it. */
  scrolled = 0
  private readonly matched = signal<Uint8Array | undefined>(undefined)
  private readonly error = signal<string | undefined>(undefined)
  private matching: Matching | undefined

  constructor(model: RunModel, schema: RunSchema, group: 'draws' | 'stats') {
    this.model = model
    this.schema = schema
    this.listing = new Listing(schema, group)
    this.figures = new Figures(model, group)
    this.sparks = new SparksCache(model, this.listing)
    this.filterError = this.error
    const of = <T>(part: (view: RunView) => T) => {
      // By their text, so that other changes of the address change nothing here.
      const text = computed(() => JSON.stringify(part(model.view.value)) ?? '')
      return computed((): T => {
        void text.value
        return part(model.view.peek())
      })
    }
    this.sort = of(({ more }) => sortOf(more.sort))
    const open = of(({ more }) => more.open ?? '')
    this.toggled = computed(
      () =>
        new Set(
          open.value
            .split(' ')
            .filter((name) => name !== '')
            .map(decoded),
        ),
    )
    this.range = of(({ more }) => rangeOf(more.elems))
    const coords = of((view) => view.coords)
    this.mask = computed(() =>
      both(both(this.matched.value, maskOfCoords(this.listing, schema, coords.value)), this.maskOfRange()),
    )
    this.rows = computed(() =>
      rowsOf(this.listing, { mask: this.mask.value, order: this.order(), toggled: this.toggled.value }),
    )
    this.sequence = computed(() => {
      const order = this.order() ?? Uint32Array.from({ length: this.listing.count }, (_none, at) => at)
      const mask = this.mask.value
      return mask === undefined ? order : order.filter((at) => mask[at] === 1)
    })
  }

  begin(): () => void {
    const stops = [
      this.figures.begin(),
      this.sparks.begin(),
      effect(() => {
        const { vars } = this.model.view.value
        untracked(() => this.filter(vars))
      }),
    ]
    return () => {
      for (const stop of stops) stop()
      this.matching?.close()
    }
  }

  private filtered = ''

  private filter(text: string): void {
    if (text === this.filtered) return
    this.filtered = text
    const { terms, error } = filterOf(text)
    this.error.value = error === undefined ? undefined : `This expression is not complete: ${error}`
    if (error !== undefined) return
    if (terms.length === 0) {
      this.matched.value = undefined
      return
    }
    this.matching ??= new Matching(Array.from({ length: this.listing.count }, (_none, at) => this.listing.label(at)))
    this.matching.find(text, (found) => {
      if (this.filtered !== text) return
      if (found === undefined)
        this.error.value = 'This expression takes too long for these labels: choose a simpler one.'
      else this.matched.value = found
    })
  }

  private order(): Uint32Array | undefined {
    const sort = this.sort.value
    if (sort === undefined) return undefined
    void this.figures.version.value
    const column = columnsFor('').find(({ figure }) => figure === sort.figure)
    const { direction } = sort
    return sortedBy({ ...this.figures.column(sort.figure), direction, worst: column?.worst ?? 'greatest' })
  }

  private maskOfRange(): Uint8Array | undefined {
    const range = this.range.value
    if (range === undefined) return undefined
    const listed = this.listing.columns.find(({ column }) => column.name === range.name)
    if (listed === undefined) return undefined
    const mask = new Uint8Array(this.listing.count)
    const stop = Math.min(range.stop, listed.column.scalars)
    return mask.fill(1, listed.first + range.start, listed.first + stop)
  }
}

function both(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a.map((value, i) => value & (b[i] as number))
}

/** `theta:120-340`, whose last number is part of it. */
function rangeOf(text: string | undefined): ElementRange | undefined {
  const [, name, start, last] = /^(.*):(\d{1,9})-(\d{1,9})$/s.exec(text ?? '') ?? []
  return name === undefined ? undefined : { name, start: Number(start), stop: Number(last) + 1 }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
