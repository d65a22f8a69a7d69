/** The rows that a file of Stan will hold behind its line of names. */

export interface Plan {
  /** A key of `METHODS`; undefined where nothing tells. */
  readonly method: string | undefined
  /** Rows at the beginning that are warmup. */
  readonly warmup: number
  /** Rows behind them; undefined where that shows only at the end. */
  readonly draws?: number | undefined
  /** Rows behind the warmup at most; undefined where there is no such number. */
  readonly mostDraws?: number | undefined
  /** True where the first row is the mean of an approximation, and no draw. */
  readonly hasMean?: boolean
  /** True where the file ends with the time that it took. */
  readonly hasTiming?: boolean
  /** True where the adaptation stands before the draws. */
  readonly mustAdapt?: boolean
}

/** Methods whose draws are stored. */
export const METHODS: ReadonlySet<string> = new Set([
  'sample',
  'generate_quantities',
  'variational',
  'pathfinder',
  'laplace',
  'optimize',
])

/** Methods whose output is no draws, and what it is. */
export const WITHOUT_DRAWS: ReadonlyMap<string, string> = new Map([
  ['diagnose', 'tests of gradients'],
  ['log_prob', 'log densities and gradients at given parameters'],
])

/** Draws of the whole file, with warmup; undefined where that shows only at the end. */
export function rowsOf({ warmup, draws }: Plan): number | undefined {
  return draws === undefined ? undefined : warmup + draws
}

export function mostRowsOf({ warmup, mostDraws }: Plan): number | undefined {
  return mostDraws === undefined ? undefined : warmup + mostDraws
}

/** True for methods of which a draw may be warmup: their runs have the stat `tune`. */
export function hasWarmupFlag({ method }: Plan): boolean {
  return method === undefined || method === 'sample' || method === 'generate_quantities'
}
