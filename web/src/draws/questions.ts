/**
 * Questions to the draws' worker, and its answers: all that plots need of draws, computed beside the main thread.
 *
 * A scalar is one element of a numeric column of fixed shape. Answers are plain objects of typed arrays, which are
 * transferred and not copied. Iterations count from 0 at the chain's first draw, warmup included.
 */
import type { Convention, Statistic } from '../../../src/core/diagnostics/convention.ts'

export interface ScalarRef {
  readonly group: 'draws' | 'stats'
  readonly name: string
  /** Index into the flattened (C order) value; 0 of a scalar. */
  readonly element: number
}

/** The draws that count: of these chains (all when absent), behind warmup, in it, or both, and from `start` on to before `stop`. */
export interface Choice {
  readonly chains?: readonly number[] | undefined
  readonly warmup: 'exclude' | 'include'
  /** Iterations; those of the whole chain when absent. */
  readonly start?: number | undefined
  readonly stop?: number | undefined
}

/** Draws that somebody has chosen in a plot: an interval of all chains, or single ones. */
export type Brush =
  | { readonly kind: 'interval'; readonly start: number; readonly stop: number }
  | { readonly kind: 'draws'; readonly chains: readonly { readonly chain: number; readonly at: Uint32Array }[] }

export interface TracedChain {
  readonly chain: number
  /** Draws of warmup at the beginning of the chain. */
  readonly warmup: number
  /** Draws of the chain as of this answer. */
  readonly length: number
  /** Iterations, rising, and the values there: of each bucket first, least, greatest and last. */
  readonly at: Float64Array
  readonly values: Float64Array
}

/** A density on a grid that all chains share, of as many draws of each chain as summaries use; draws that are not finite count for nothing. */
export interface Density {
  readonly x: Float64Array
  /** The density of each chain, which integrates to 1. */
  readonly chains: readonly { readonly chain: number; readonly y: Float64Array }[]
  readonly all: Float64Array
  /** True where the values are whole numbers, or one value alone: `x` are those values, `y` their shares. */
  readonly isDiscrete: boolean
  /** Whole numbers that a share stands for, from its `x` on: more than 1 where there are many values. Absent from densities. */
  readonly width?: number
}

/**
 * Ranks among all draws of all chains (Vehtari et al. 2021; Säilynoja et al. 2022), which equal draws share evenly: NaN
 * where one is NaN. A chain that is alone has all ranks, and its band no width.
 */
export interface Ranks {
  readonly chains: readonly {
    readonly chain: number
    /** Draws of this chain in each of the bins of ranks. */
    readonly bins: Float64Array
    /** ECDF of the scaled ranks minus that of the uniform distribution, at `x`. */
    readonly difference: Float64Array
  }[]
  /** Expected count of a bin, and the interval in which 95 % of counts are. */
  readonly expected: number
  readonly interval: readonly [number, number]
  readonly x: Float64Array
  /** Simultaneous 95 % band of the difference at `x`. */
  readonly lower: Float64Array
  readonly upper: Float64Array
}

/** A figure that is none has the reason instead, as summaries do: NaN here. */
export interface Curve {
  readonly x: Float64Array
  readonly y: Float64Array
}

export interface Evolution {
  /** Draws of all chains at each point. */
  readonly draws: Float64Array
  readonly bulk: Float64Array
  readonly tail: Float64Array
}

export interface Cloud {
  /** Number of draws, also where there are no points. */
  readonly count: number
  /** Points: absent above 100,000 draws, where `counts` are. */
  readonly points?: {
    readonly x: Float64Array
    readonly y: Float64Array
    readonly chain: Uint16Array
    readonly at: Uint32Array
  }
  /** A two-dimensional histogram: `counts[row * columns + column]`, rows from the bottom. */
  readonly grid?: {
    readonly columns: number
    readonly rows: number
    readonly counts: Float64Array
    /** Axes along which cells are even in the logarithm. */
    readonly log?: readonly ('x' | 'y')[] | undefined
  }
  /** Draws of the brush that was asked about, where there is a grid: at most 20,000, evenly thinned. */
  readonly brushed?: { readonly x: Float64Array; readonly y: Float64Array } | undefined
  readonly x: readonly [least: number, greatest: number]
  readonly y: readonly [least: number, greatest: number]
  /** Draws that diverged, always one by one. */
  readonly diverging: {
    readonly x: Float64Array
    readonly y: Float64Array
    readonly chain: Uint16Array
    readonly at: Uint32Array
  }
}

/** Densities of energies: of each draw's, less their mean, and of their changes from draw to draw. */
export interface EnergyDensities {
  readonly marginal: Float64Array
  readonly transition: Float64Array
}

/** Energies at `x`, which integrate to 1; of no draws, or of constant ones, all densities are 0. */
export interface Energies {
  /** Draws of each chain. */
  readonly draws: number
  readonly x: Float64Array
  readonly all: EnergyDensities
  readonly chains: readonly (EnergyDensities & { readonly chain: number; readonly bfmi: Statistic })[]
}

/** Iterations of a chain at which something was so, rising, of those from `first` to before `stop`. */
export interface Marked {
  readonly chain: number
  readonly first: number
  readonly stop: number
  /** Draws of warmup at the beginning of the chain. */
  readonly warmup: number
  readonly at: Uint32Array
}

/** Small pictures of a row of the table of variables. */
export interface Spark {
  /** Undefined where the chains are too long to be fetched for a row. */
  readonly density?: Density
  readonly ranks?: Ranks
  readonly trace: readonly TracedChain[]
}

/** Quantiles of one scalar of all chosen draws, at the probabilities that were asked for; NaN without draws. */
export interface Quantiles {
  readonly quantiles: Float64Array
  readonly mean: number
  readonly sd: number
  readonly count: number
}

/** Every kind of question: its parameters and its answer. */
export interface Questions {
  /** `buckets`: about half the pixels of the plot; all draws of a bucket that has at most four. */
  trace: {
    ask: { scalars: readonly ScalarRef[]; choice: Choice; buckets: number }
    answer: readonly (readonly TracedChain[])[]
  }
  /** `whole`: real numbers of which each is a whole one, as depths of trees in CSV files, have shares instead of a density. */
  density: {
    ask: {
      scalar: ScalarRef
      choice: Choice
      points: number
      brush?: Brush | undefined
      whole?: 'by values' | undefined
    }
    answer: Density & { readonly brushed?: Float64Array }
  }
  ranks: { ask: { scalar: ScalarRef; choice: Choice; bins: number; points: number }; answer: Ranks }
  /** ESS of intervals between quantiles, and of quantiles, at the middle of each, in draws of all chains. */
  essLocal: { ask: { scalar: ScalarRef; choice: Choice; convention: Convention; intervals: number }; answer: Curve }
  essQuantile: { ask: { scalar: ScalarRef; choice: Choice; convention: Convention; points: number }; answer: Curve }
  essEvolution: {
    ask: { scalar: ScalarRef; choice: Choice; convention: Convention; points: number }
    answer: Evolution
  }
  /** Autocorrelations of each chain, lags 0 to `lags`. */
  autocorrelation: {
    ask: { scalar: ScalarRef; choice: Choice; lags: number }
    answer: readonly { readonly chain: number; readonly rho: Float64Array }[]
  }
  /** MCSE of quantiles over the range of probabilities. */
  mcseQuantile: {
    ask: { scalar: ScalarRef; choice: Choice; convention: Convention; points: number }
    answer: Curve & { readonly mean: number; readonly sd: number }
  }
  /** `log`: axes of positive scalars along which cells are even in the logarithm. */
  cloud: {
    ask: {
      x: ScalarRef
      y: ScalarRef
      choice: Choice
      bins: number
      log?: readonly ('x' | 'y')[] | undefined
      brush?: Brush | undefined
    }
    answer: Cloud
  }
  /** Draws within an area, ends included; null where there is none. */
  within: {
    ask: {
      x: ScalarRef
      y: ScalarRef
      choice: Choice
      area: { readonly x: readonly [number, number]; readonly y: readonly [number, number] }
    }
    answer: Brush | null
  }
  energies: {
    ask: { scalar: ScalarRef; choice: Choice; convention: Convention; points: number }
    answer: Energies
  }
  /** Means of each chain; NaN without draws. */
  chainMeans: {
    ask: { scalar: ScalarRef; choice: Choice }
    answer: readonly { readonly chain: number; readonly draws: number; readonly mean: number }[]
  }
  /** Draws at which any of these scalars is above 0. */
  marked: { ask: { scalars: readonly ScalarRef[]; choice: Choice }; answer: readonly Marked[] }
  sparks: { ask: { scalars: readonly ScalarRef[]; choice: Choice; width: number }; answer: readonly Spark[] }
  quantiles: {
    ask: { scalars: readonly ScalarRef[]; choice: Choice; probabilities: readonly number[] }
    answer: readonly Quantiles[]
  }
  /** Values of scalars, chain after chain, thinned evenly to at most `most` draws a chain where there are more. */
  values: {
    ask: { scalars: readonly ScalarRef[]; choice: Choice; most: number }
    answer: {
      readonly chains: readonly {
        readonly chain: number
        readonly at: Float64Array
        readonly values: readonly Float64Array[]
      }[]
      /** True where draws were left out. */
      readonly isThinned: boolean
    }
  }
}

export type Kind = keyof Questions
export type Ask<K extends Kind> = Questions[K]['ask']
export type Answer<K extends Kind> = Questions[K]['answer']

/** A run as the worker needs to know it. */
export interface OpenedRun {
  readonly rid: string
  readonly registration: string
  /** Authorization of the requests; absent where there are no keys. */
  readonly key?: string | undefined
  readonly columns: readonly {
    readonly group: 'draws' | 'stats'
    readonly name: string
    readonly dtype: string
    readonly shape: readonly number[] | null
  }[]
}

/** Draws of one run, computed beside the main thread. */
export interface DrawsLink {
  /** Tells new lengths, by chain: questions from now on are of these draws, and only what is new is fetched. */
  grow(lengths: ReadonlyMap<number, number>): void
  /**
   * Answers of the draws as they are at the moment. A signal that aborts rejects with an `AbortError`, and ends the work.
   * Questions that are asked twice at the same moment have one answer, which nobody may change.
   *
   * @throws ApiProblem of the requests behind it; TooLarge with the way out for more than 2·10⁷ values
   */
  ask<K extends Kind>(kind: K, question: Ask<K>, signal?: AbortSignal): Promise<Answer<K>>
  close(): void
}

export type OpenDraws = (run: OpenedRun) => DrawsLink
