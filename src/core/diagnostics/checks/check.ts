/** Checks of a run, and what each of them says. */

/** Names of all checks, in their order. */
export const CHECKS = ['progress', 'finite', 'stuck', 'divergences', 'rhat', 'ess', 'bfmi', 'treedepth'] as const
export type CheckName = (typeof CHECKS)[number]

export const STATUSES = ['ok', 'warn', 'fail', 'unknown'] as const
export type Status = (typeof STATUSES)[number]

export interface ChainValue {
  readonly chain: number
  readonly value: number
}

/** A scalar that a check names; null stands for a value that is not finite. */
export interface NamedValue {
  readonly label: string
  readonly value: number | null
  /** The side of the scalar on which divergences are. */
  readonly at?: 'small' | 'large'
}

export interface Finding {
  readonly status: Status
  /** A sentence with the numbers, and the source of each threshold. */
  readonly message: string
  /** A sentence that says what to do; empty where there is nothing to do. */
  readonly advice: string
  readonly chains?: readonly ChainValue[]
  readonly worst?: readonly NamedValue[]
}

export interface Check extends Finding {
  readonly check: CheckName
}

export interface Checks {
  /** Draws of each chain that is judged. */
  readonly draws: number
  /** The worst of all; `unknown` counts as ok unless all are. */
  readonly status: Status
  readonly checks: readonly Check[]
}

export interface RunChecks extends Checks {
  readonly rid: string
  readonly registration: string
  /** Share of the work that is done; absent when it is all. */
  readonly progress?: number
}

export function unknown(message: string, advice = ''): Finding {
  return { status: 'unknown', message, advice }
}

/** The worst of some statuses, of which `unknown` is none unless all are. */
export function worstOf(statuses: readonly Status[]): Status {
  if (statuses.includes('fail')) return 'fail'
  if (statuses.includes('warn')) return 'warn'
  return statuses.every((status) => status === 'unknown') ? 'unknown' : 'ok'
}

/** Counts of those chains that have any. */
export function countsOf(chains: readonly number[], counts: ArrayLike<number>): ChainValue[] {
  return chains.map((chain, i) => ({ chain, value: counts[i] ?? 0 })).filter(({ value }) => value > 0)
}
