/** The verdict on a run: what its checks say, the worst first, each with the way to the plot that shows it. */
import type { Check, Checks, Status } from '../../api/shapes.ts'
import type { RunView } from '../../app/place.ts'

export interface WayTo {
  readonly text: string
  /** The view that shows it, as a change of the present one. */
  readonly view: Partial<Omit<RunView, 'more'>> & { readonly more?: Readonly<Record<string, string>> }
}

export interface Sentence {
  readonly check: string
  readonly status: Status
  readonly message: string
  readonly advice: string
  readonly way: WayTo | undefined
}

export interface Verdict {
  /** What is wrong, or not known, the worst first. */
  readonly sentences: readonly Sentence[]
  /** What is fine: a few words, and the check's own sentence. */
  readonly fine: readonly { readonly words: string; readonly message: string }[]
}

const ORDER: readonly Status[] = ['fail', 'warn', 'unknown']

/** Words for checks that find nothing; a check of a newer server has its own name. */
const FINE: Readonly<Record<string, string>> = {
  progress: 'no chain is silent',
  finite: 'all values finite',
  stuck: 'all chains move',
  divergences: 'no divergence',
  rhat: 'R-hat',
  ess: 'ESS',
  bfmi: 'E-BFMI',
  treedepth: 'tree depth',
}

export function verdictOf({ checks }: Pick<Checks, 'checks'>): Verdict {
  const found = checks.filter(({ status }) => status !== 'ok')
  return {
    sentences: ORDER.flatMap((status) => found.filter((each) => each.status === status)).map((check) => ({
      check: check.check,
      status: check.status,
      message: check.message,
      advice: check.advice,
      way: check.status === 'unknown' ? undefined : wayTo(check),
    })),
    fine: checks
      .filter(({ status }) => status === 'ok')
      .map(({ check, message }) => ({ words: FINE[check] ?? check, message })),
  }
}

const WAYS: Readonly<Record<string, (check: Check) => WayTo | undefined>> = {
  divergences: wayToDivergences,
  rhat: (check) => wayToScalar(check, 'rank plot'),
  stuck: (check) => wayToScalar(check, 'trace'),
  ess: (check) => wayToScalar(check, 'ESS'),
  finite: (check) => wayToScalar(check, 'trace'),
  bfmi: () => ({ text: 'energies', view: { tab: 'sampler' } }),
  treedepth: () => ({ text: 'tree depths', view: { tab: 'sampler' } }),
  progress: wayToChains,
}

function wayTo(check: Check): WayTo | undefined {
  return WAYS[check.check]?.(check)
}

/** Pairs of the scalars by which divergences can be told from other draws. */
function wayToDivergences({ worst }: Check): WayTo {
  const [x, y] = worst
  if (x === undefined) return { text: 'pairs', view: { tab: 'pairs' } }
  if (y === undefined) return { text: `pairs with ${x.label}`, view: { tab: 'pairs', more: { x: x.label } } }
  return { text: `pair ${x.label} × ${y.label}`, view: { tab: 'pairs', more: { x: x.label, y: y.label } } }
}

function wayToScalar({ worst }: Check, plot: string): WayTo {
  const [first] = worst
  if (first === undefined) return { text: 'variables', view: { tab: 'variables' } }
  return { text: `${plot} of ${first.label}`, view: { tab: 'variables', sel: first.label } }
}

/** More chains than an address should name. */
const MANY = 8

function wayToChains({ chains }: Check): WayTo | undefined {
  const numbers = chains.map(({ chain }) => chain)
  if (numbers.length === 0 || numbers.length > MANY) return undefined
  const text = numbers.length === 1 ? `chain ${numbers[0]} alone` : `chains ${numbers.join(', ')} alone`
  return { text, view: { tab: 'overview', chains: numbers } }
}
