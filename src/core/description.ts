/** Coordinates, dimensions and data of a run's metadata, as McBackend's `Run` gives them. */

import { decodeNdArray, type LabelArray } from './draws/ndarray.ts'
import type { RunMeta } from './wire/run-meta.ts'

export class RunDescription {
  readonly meta: RunMeta

  constructor(meta: RunMeta) {
    this.meta = meta
  }

  /** Labels by dimension. @throws McbError `invalid_run_meta` for an array of a dtype that is not known here */
  get coords(): Map<string, LabelArray> {
    return new Map((this.meta.coordinates ?? []).map((c) => [c.name ?? '', decodeNdArray(c.values ?? {})]))
  }

  /** Dimension names by variable: for variables that name all their dimensions, and data variables that name any. */
  get dims(): Map<string, readonly string[]> {
    const dims = new Map<string, readonly string[]>()
    for (const v of this.meta.variables ?? []) {
      const names = v.dims ?? []
      if (!v.undefinedNdim && names.length === (v.shape ?? []).length) dims.set(v.name ?? '', names)
    }
    for (const d of this.meta.data ?? []) if (d.dims && d.dims.length > 0) dims.set(d.name ?? '', d.dims)
    return dims
  }

  get constantData(): Map<string, LabelArray> {
    return this.data(false)
  }

  get observedData(): Map<string, LabelArray> {
    return this.data(true)
  }

  private data(observed: boolean): Map<string, LabelArray> {
    const chosen = (this.meta.data ?? []).filter((d) => (d.isObserved ?? false) === observed)
    return new Map(chosen.map((d) => [d.name ?? '', decodeNdArray(d.value ?? {})]))
  }
}
