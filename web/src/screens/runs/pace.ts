/** Growth of the list's runs, and the time until they have enough effective draws. */
import type { RunLine } from '../../api/shapes.ts'

/** Milliseconds that a rate looks back. */
const WINDOW_MS = 30_000
/** Milliseconds between the first and the last look below which a rate is none. */
const LEAST_MS = 1000
/** Looks of a run that are kept. */
const LOOKS = 32

interface Look {
  /** Milliseconds since 1970, by the server's clock: the moment of the last write. */
  readonly at: number
  readonly draws: number
}

export class Paces {
  private readonly looks = new Map<string, Look[]>()

  /** Takes a line as it is now; of a run that is not live, nothing is kept. */
  note({ rid, state, updatedAt, draws }: RunLine): void {
    if (state !== 'live') {
      this.looks.delete(rid)
      return
    }
    const at = Date.parse(updatedAt)
    const list = this.looks.get(rid) ?? []
    this.looks.set(rid, list)
    const last = list.at(-1)
    // Another run of the same name, or nothing new.
    if (last !== undefined && draws < last.draws) list.length = 0
    else if (last !== undefined && at <= last.at) return
    list.push({ at, draws })
    while (list.length > LOOKS || at - (list[0]?.at ?? at) > WINDOW_MS) list.shift()
  }

  /** Draws a second of all chains; undefined before two looks have seen different ones. */
  of(rid: string): number | undefined {
    const list = this.looks.get(rid)
    const [first, last] = [list?.[0], list?.at(-1)]
    if (first === undefined || last === undefined || last.at - first.at < LEAST_MS) return undefined
    return ((last.draws - first.draws) * 1000) / (last.at - first.at)
  }
}

/** Effective draws that are enough for most: 100 a chain of four (Vehtari et al. 2021). */
export const TARGET_ESS = 400
/** R-hat above which more draws of chains that disagree do not count. */
export const GREATEST_RHAT = 1.05

export type Eta =
  | { readonly kind: 'left'; readonly seconds: number }
  /** The chains do not agree: more draws alone will not do. */
  | { readonly kind: 'rhat' }
  | { readonly kind: 'reached' }
  | { readonly kind: 'unknown' }

const UNKNOWN: Eta = { kind: 'unknown' }

/**
 * The time until the least ESS of a run reaches 400, if each draw brings as much as those until now.
 *
 * @param rate draws a second of all chains
 */
export function etaOf({ diagnostics, chains, state, updatedAt }: RunLine, rate: number | undefined): Eta {
  const ess = leastEss(diagnostics)
  if (diagnostics === null || ess === undefined || ess <= 0) return UNKNOWN
  if (ess >= TARGET_ESS) return { kind: 'reached' }
  if (state !== 'live') return UNKNOWN
  if (diagnostics.rhat !== null && diagnostics.rhat > GREATEST_RHAT) return { kind: 'rhat' }
  if (rate === undefined || rate <= 0) return UNKNOWN
  const draws = diagnostics.draws * chains
  const missing = (TARGET_ESS / ess - 1) * draws
  // Both moments are the server's; what was drawn since the figures were computed counts.
  const since = Math.max(0, (Date.parse(updatedAt) - Date.parse(diagnostics.at)) / 1000)
  return { kind: 'left', seconds: Math.max(0, missing / rate - since) }
}

/** The lesser of bulk and tail ESS. */
export function leastEss(diagnostics: RunLine['diagnostics']): number | undefined {
  const known = [diagnostics?.essBulk, diagnostics?.essTail].filter((each) => typeof each === 'number')
  return known.length === 0 ? undefined : Math.min(...known)
}
