/** Colours of plots: of a light page, a dark one, and the system's where colours are forced. */

export interface Theme {
  readonly paper: string
  /** Texts, and their quieter form; both have a contrast of 4.5 at least. */
  readonly ink: string
  readonly quiet: string
  readonly grid: string
  readonly axis: string
  /** Shade behind warmup and intervals. */
  readonly shade: string
  readonly accent: string
  readonly good: string
  readonly warn: string
  readonly bad: string
  /** Chains beyond those that have colours. */
  readonly other: string
  readonly chains: readonly string[]
  /** Five grades from good to bad, which differ in lightness as well. */
  readonly heat: readonly string[]
}

/** ArviZ's colours. */
const CHAINS = ['#36acc6', '#f66d7f', '#fac364', '#7c2695', '#228306', '#a252f4', '#63f0ea', '#a77e4f']

export const LIGHT: Theme = {
  paper: '#ffffff',
  ink: '#1d2733',
  quiet: '#56626f',
  grid: '#e8ecf0',
  axis: '#a9b4bf',
  shade: '#eef1f4',
  accent: '#0b6e8a',
  good: '#1a7340',
  warn: '#8a5a00',
  bad: '#b3261e',
  other: '#8b96a1',
  chains: CHAINS,
  heat: ['#dceee9', '#b5dcd3', '#f2c464', '#d9652f', '#8f1d18'],
}

export const DARK: Theme = {
  paper: '#141b23',
  ink: '#e7edf3',
  quiet: '#a3b0bd',
  grid: '#26303b',
  axis: '#55616e',
  shade: '#1e2731',
  accent: '#63c7df',
  good: '#6fcf8e',
  warn: '#e8b04a',
  bad: '#ff8a80',
  other: '#7b8794',
  // The darkest two of ArviZ's are lightened, to be seen.
  chains: CHAINS.map((colour) => ({ '#7c2695': '#c07fd6', '#228306': '#5cbf3f' })[colour] ?? colour),
  heat: ['#1f3b3c', '#2f5d5b', '#b98a26', '#ec7a45', '#ffb3a7'],
}

/** Dashes by which chains differ for those who do not see colours. */
const DASHES: readonly (readonly number[] | undefined)[] = [undefined, [6, 3], [2, 2], [8, 3, 2, 3]]

export interface ChainLook {
  readonly colour: string
  readonly dash: readonly number[] | undefined
}

/**
 * Look of a chain among all: its own colour and dash; beyond eight chains grey, but for the one that is to blame.
 *
 * @param place the chain's, in the order of their numbers
 */
export function chainLook(theme: Theme, place: number, chains: number, blamed: readonly number[] = []): ChainLook {
  const isGrey = chains > theme.chains.length && !blamed.includes(place)
  if (isGrey) return { colour: theme.other, dash: undefined }
  const rank = chains > theme.chains.length ? 1 + blamed.indexOf(place) : place
  return {
    colour: theme.chains[rank % theme.chains.length] ?? theme.other,
    dash: DASHES[place % DASHES.length],
  }
}
