/**
 * The two packages whose numbers these are: R's `posterior` (1.7) and `arviz-stats` (1.3). They agree where a chain has 4k draws,
 * at least 12, that are finite and not constant; docs/diagnostics.md lists where they do not.
 */
export const CONVENTIONS = ['posterior', 'arviz'] as const
export type Convention = (typeof CONVENTIONS)[number]

/** The reason for a number that there is not. */
export type Reason = 'constant' | 'too_few' | 'nan' | 'infinite'

/** A number, or the reason why there is none. */
export type Statistic = number | Reason

/** The least range of draws that are not constant. */
export const LEAST_RANGE: Readonly<Record<Convention, number>> = { posterior: 2 ** -52, arviz: 1e-15 }

/** Probabilities at whose quantiles the tail ESS looks; ArviZ's are those of its default `ci_prob`. */
export const TAIL: Readonly<Record<Convention, readonly [number, number]>> = {
  posterior: [0.05, 0.95],
  arviz: [1 - 0.89, 0.89],
}
