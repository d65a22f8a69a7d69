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
  /** The check in a few words. */
  readonly name: string
  readonly status: Status
  readonly message: string
  readonly advice: string
  readonly way: WayTo | undefined
}

export interface Verdict {
  /** Findings that are wrong, or not known, the worst first. */
  readonly sentences: readonly Sentence[]
  /** Checks that are fine: a few words, and the check's own sentence. */
  readonly fine: readonly { readonly words: string; readonly message: string }[]
}

const ORDER: readonly Status[] = ['fail', 'warn', 'unknown']

const NAMES: Readonly<Record<string, string>> = {
  progress: 'progress of chains',
  finite: 'finite values',
  stuck: 'chains that stand still',
  divergences: 'divergences',
  rhat: 'R-hat',
  ess: 'ESS',
  bfmi: 'E-BFMI',
  treedepth: 'tree depth',
}

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

/** @param chains all of the run: a view of all of them is no view of some */
export function verdictOf({ checks }: Pick<Checks, 'checks'>, chains: number): Verdict {
  // With too few draws all checks say the same: once is enough.
  const found = checks.filter(
    ({ status, message }, i) => status !== 'ok' && checks.findIndex((each) => each.message === message) === i,
  )
  return {
    sentences: ORDER.flatMap((status) => found.filter((each) => each.status === status)).map((check) => ({
      check: check.check,
      name: NAMES[check.check] ?? check.check,
      status: check.status,
      message: check.message,
      advice: check.advice,
      way: check.status === 'unknown' ? undefined : wayTo(check, chains),
    })),
    fine: checks
      .filter(({ status }) => status === 'ok')
      .map(({ check, message }) => ({ words: FINE[check] ?? check, message })),
  }
}

const WAYS: Readonly<Record<string, (check: Check, chains: number) => WayTo | undefined>> = {
  divergences: wayToDivergences,
  rhat: (check) => wayToScalar(check, 'rank plot'),
  stuck: (check) => wayToScalar(check, 'trace'),
  ess: (check) => wayToScalar(check, 'ESS'),
  finite: (check) => wayToScalar(check, 'trace'),
  bfmi: () => ({ text: 'energies', view: { tab: 'sampler' } }),
  treedepth: () => ({ text: 'tree depths', view: { tab: 'sampler' } }),
  progress: wayToChains,
}

function wayTo(check: Check, chains: number): WayTo | undefined {
  return WAYS[check.check]?.(check, chains)
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

function wayToChains({ chains }: Check, all: number): WayTo | undefined {
  const numbers = chains.map(({ chain }) => chain)
  if (numbers.length === 0 || numbers.length > MANY || numbers.length === all) return undefined
  const text = numbers.length === 1 ? `chain ${numbers[0]} alone` : `chains ${numbers.join(', ')} alone`
  return { text, view: { tab: 'overview', chains: numbers } }
}
