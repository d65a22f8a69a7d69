/** Counts of runs that grow: each draw is read once, when somebody asks, so that an append does nothing for them. */
import { Counters } from '../diagnostics/counters.ts'
import type { RigidNumbers } from '../draws/columns.ts'
import { LruMap } from '../lru.ts'
import type { ChainState } from '../store.ts'
import type { DrawSource } from './source.ts'

/** Bytes of counters that are kept. */
const KEPT_BYTES = 16 * 1024 * 1024
/** Bytes of an element's counters. */
const ELEMENT_BYTES = 40

export class Counts {
  private readonly kept = new LruMap<string, Counters>(KEPT_BYTES, ({ elements }) => 100 + ELEMENT_BYTES * elements)
  private readonly counting = new Map<string, Promise<Counters>>()

  /** Counters of a column in a chain, of all draws from `first` on that it has now. */
  of(source: DrawSource, state: ChainState, spec: RigidNumbers, first = 0): Promise<Counters> {
    const key = [source.registration, state.chain, spec.index, first].join('/')
    // One after the other: two at once would count the same draws twice.
    const before = this.counting.get(key) ?? Promise.resolve()
    const counted = before.catch(() => undefined).then(() => this.goOn(key, source, state, spec, first))
    this.counting.set(key, counted)
    const forget = () => {
      if (this.counting.get(key) === counted) this.counting.delete(key)
    }
    void counted.then(forget, forget)
    return counted
  }

  private async goOn(
    key: string,
    source: DrawSource,
    { chain, length }: ChainState,
    spec: RigidNumbers,
    first: number,
  ): Promise<Counters> {
    const counters = this.kept.get(key) ?? new Counters(spec.elements)
    try {
      const begin = first + counters.draws
      const count = length - begin
      if (count > 0) {
        const range = { spec, elements: [[0, spec.elements]], first: begin, count } as const
        for await (const bytes of source.read(chain, range)) counters.add(bytes, spec.dtype)
      }
    } catch (error) {
      this.kept.delete(key)
      throw error
    }
    this.kept.set(key, counters)
    return counters
  }
}
