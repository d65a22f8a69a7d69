/** When an effective sample size will be reached, in words. */
import { count, duration, rhatText } from '../paint/number.ts'

/** R-hat from which on an ESS says too little to be extrapolated. */
const MOST_RHAT = 1.05
/** Growth of ESS a draw, against the share it had so far, below which more draws do not help. */
const LEAST_GROWTH = 0.2

/** Least ESS of the run at so many draws. */
export interface EssPoint {
  /** Draws of all chains, behind warmup. */
  readonly draws: number
  /** The smaller of bulk and tail; NaN where there is none. */
  readonly ess: number
}

export interface OutlookInput {
  readonly target: number
  /** Rising draws. */
  readonly points: readonly EssPoint[]
  /** Greatest R-hat; undefined where it is not known. */
  readonly rhat: number | undefined
  /** Draws a second of all chains; 0 where the run stands still. */
  readonly rate: number
  readonly isDone: boolean
}

export interface Outlook {
  readonly state: 'reached' | 'coming' | 'not yet' | 'unknown'
  readonly text: string
}

export function outlookOf({ target, points, rhat, rate, isDone }: OutlookInput): Outlook {
  const known = points.filter(({ ess }) => Number.isFinite(ess))
  const last = known.at(-1)
  const wanted = `ESS ${count(target)}`
  if (last === undefined) return { state: 'unknown', text: `${wanted}: too few draws to tell` }
  if (last.ess >= target) return reached(wanted, target, known)
  if (rhat !== undefined && rhat >= MOST_RHAT) {
    return { state: 'not yet', text: `${wanted}: not yet, R-hat is ${rhatText(rhat)}` }
  }
  const slope = growthOf(known, last)
  if (slope < (LEAST_GROWTH * last.ess) / last.draws) {
    return { state: 'not yet', text: `${wanted}: not yet, ESS does not grow with the draws` }
  }
  const rest = (target - last.ess) / slope
  if (isDone || !(rate > 0)) {
    return { state: 'not yet', text: `${wanted} would take about ${count(roundedUp(rest))} more draws` }
  }
  return { state: 'coming', text: `${wanted} in about ${duration(roundedTime(rest / rate))}` }
}

function reached(wanted: string, target: number, known: readonly EssPoint[]): Outlook {
  // It counts as reached from where it stays: ESS of few draws may be large by chance.
  const after = known.findLastIndex(({ ess }) => ess < target)
  const first = known[after + 1]
  const since = after < 0 || first === undefined ? '' : ` since ${count(first.draws)} draws`
  return { state: 'reached', text: `${wanted} is reached${since}` }
}

/** ESS a draw: from the point at half of the draws to the last, or from 0 where there is none. */
function growthOf(known: readonly EssPoint[], last: EssPoint): number {
  const half = known.findLast(({ draws }) => draws <= last.draws / 2)
  return half === undefined ? last.ess / last.draws : (last.ess - half.ess) / (last.draws - half.draws)
}

/** The next larger number of two digits and zeros. */
function roundedUp(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1)
  return Math.ceil(value / unit) * unit
}

/** Seconds, so that a guess does not look exact. */
function roundedTime(seconds: number): number {
  if (seconds < 10) return Math.max(1, Math.round(seconds))
  if (seconds < 120) return 5 * Math.round(seconds / 5)
  return seconds < 7200 ? 60 * Math.round(seconds / 60) : 3600 * Math.round(seconds / 3600)
}

/** The ESS that is wanted: as the address has it, else 100 a chain, and 400 at least. */
export function targetOf(text: string | undefined, chains: number): number {
  const given = Number(text)
  return text !== undefined && Number.isFinite(given) && given >= 1 ? Math.round(given) : Math.max(400, 100 * chains)
}
