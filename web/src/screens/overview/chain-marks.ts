/** Blame of single chains: marks from the checks, and from the log density. */
import type { Check, Checks } from '../../api/shapes.ts'
import { count, percent, rhatText, significant } from '../../paint/number.ts'

export interface Mark {
  readonly kind: 'fail' | 'warn'
  readonly text: string
  /** True for a chain that differs from the others, and stands out in plots. */
  readonly standsOut: boolean
}

/** Log densities of a chain, behind warmup. */
export interface ChainLp {
  readonly chain: number
  readonly values: Float64Array
}

/** Standard deviations by which a log density is lower, from which on it is told. */
const LOWER = 2
const BFMI_WARN = 0.3
const BFMI_FAIL = 0.2
/** Draws of a chain that a mean needs. */
const LEAST_DRAWS = 20

export type Marks = ReadonlyMap<number, readonly Mark[]>

export function marksOf(checks: Pick<Checks, 'checks'> | undefined, lps: readonly ChainLp[]): Marks {
  const marks = new Map<number, Mark[]>()
  const add = (chain: number, mark: Mark) => {
    const list = marks.get(chain) ?? []
    marks.set(chain, list)
    list.push(mark)
  }
  for (const check of checks?.checks ?? []) {
    for (const { chain, mark } of marksOfCheck(check)) add(chain, mark)
  }
  for (const { chain, sds } of lowerLps(lps)) {
    add(chain, { kind: 'warn', text: `lp lower by ${significant(sds, 2)} sd`, standsOut: true })
  }
  return marks
}

/** Chains that stand out, in the order of their numbers. */
export function blamedOf(marks: Marks): readonly number[] {
  return [...marks]
    .filter(([, list]) => list.some(({ standsOut }) => standsOut))
    .map(([chain]) => chain)
    .sort((a, b) => a - b)
}

interface ChainMark {
  readonly chain: number
  readonly mark: Mark
}

function marksOfCheck(check: Check): readonly ChainMark[] {
  const { status, chains } = check
  const kind = status === 'fail' ? 'fail' : 'warn'
  const each = (text: (value: number) => string, standsOut = false): ChainMark[] =>
    chains.map(({ chain, value }) => ({ chain, mark: { kind, text: text(value), standsOut } }))
  if (status !== 'fail' && status !== 'warn') return []
  switch (check.check) {
    case 'rhat':
      return blameForRhat(check)
    case 'divergences':
      return each((value) => (value === 1 ? '1 divergence' : `${count(value)} divergences`))
    case 'stuck':
      return each(() => (status === 'fail' ? 'stands still' : 'repeats its draws'), true)
    case 'finite':
      return each((value) => `${count(value)} not finite`)
    case 'treedepth':
      return each((value) => `${count(value)} at the depth limit`)
    case 'bfmi':
      return chains
        .filter(({ value }) => value < BFMI_WARN)
        .map(({ chain, value }) => ({
          chain,
          mark: {
            kind: value < BFMI_FAIL ? 'fail' : 'warn',
            text: `E-BFMI ${significant(value, 2)}`,
            standsOut: false,
          },
        }))
    default:
      return []
  }
}

/** The check names all chains, with R-hat without each: the least is that without the one to blame. */
function blameForRhat({ chains, status }: Check): readonly ChainMark[] {
  const [first, ...others] = chains
  if (first === undefined) return []
  const least = others.reduce((a, b) => (b.value < a.value ? b : a), first)
  const kind = status === 'fail' ? 'fail' : 'warn'
  return [{ chain: least.chain, mark: { kind, text: `R-hat ${rhatText(least.value)} without it`, standsOut: true } }]
}

/** Chains whose mean log density is lower than that of the others, in standard deviations within chains. */
function lowerLps(lps: readonly ChainLp[]): readonly { readonly chain: number; readonly sds: number }[] {
  const told = lps
    .filter(({ values }) => values.length >= LEAST_DRAWS)
    .map(({ chain, values }) => ({ chain, ...momentsOf(values) }))
    .filter(({ mean, sd }) => Number.isFinite(mean) && Number.isFinite(sd))
  if (told.length < 2) return []
  const sd = medianOf(told.map((each) => each.sd))
  if (!(sd > 0)) return []
  return told.flatMap(({ chain, mean }) => {
    const others = medianOf(told.filter((each) => each.chain !== chain).map((each) => each.mean))
    const sds = (others - mean) / sd
    return sds >= LOWER ? [{ chain, sds }] : []
  })
}

function momentsOf(values: Float64Array): { readonly mean: number; readonly sd: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, sd: Math.sqrt(squares / (values.length - 1)) }
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const high = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2
}

/** Words for a share of a chain's expected draws. */
export function shareText(length: number, total: number | undefined): string {
  return total === undefined ? count(length) : `${count(length)} of ${count(total)} (${percent(length / total)})`
}
