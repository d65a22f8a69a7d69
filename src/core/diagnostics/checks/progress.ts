/** Chains that have fallen silent, or behind the others. */
import { type Finding, unknown } from './check.ts'
import type { ChainProgress, Evidence } from './evidence.ts'
import { chainsText, count, span } from './words.ts'

/** A silence that is too long: so many of a chain's usual pauses, and so many seconds. */
const PAUSES = 10
const SECONDS = 60

export function progressCheck({ progress, isOver, now }: Evidence): Finding {
  if (progress.length === 0) return unknown('the run has no chain yet')
  const median = medianLength(progress)
  const short = progress.filter(({ length }) => 2 * length < median)
  const silent = isOver ? [] : progress.filter((chain) => isSilent(chain, now))
  if (short.length === 0 && silent.length === 0) {
    return { status: 'ok', message: going(progress, isOver, now), advice: '' }
  }
  const told = [
    ...(silent.length > 0 ? [silence(silent, now)] : []),
    ...(short.length > 0
      ? [`${numbers(short)} ${short.length === 1 ? 'has' : 'have'} less than half the median of ${median} draws`]
      : []),
  ]
  const advice =
    silent.length > 0
      ? 'look at the log of the process that samples there, and start it again; if the run is over, say so in its facts (finishedAt)'
      : 'wait for them, or find out why they are slow: R-hat and ESS leave them out meanwhile'
  const both = new Set([...silent, ...short])
  const chains = progress.filter((chain) => both.has(chain))
  return {
    status: 'warn',
    message: told.join('; '),
    advice,
    chains: chains.map(({ chain, length }) => ({ chain, value: length })),
  }
}

function isSilent({ updatedAt, pause = 0 }: ChainProgress, now: number): boolean {
  const seconds = (now - updatedAt) / 1000
  return seconds > SECONDS && seconds > PAUSES * pause
}

function silence(silent: readonly ChainProgress[], now: number): string {
  const last = Math.max(...silent.map(({ updatedAt }) => updatedAt))
  const pauses = silent.map(({ pause }) => pause).filter((pause) => pause !== undefined)
  const usual =
    pauses.length > 0 ? `, more than ten times the usual pause of ${span(Math.max(...pauses))} and ${SECONDS} s` : ''
  return `nothing came from ${numbers(silent)} for ${span((now - last) / 1000)}${usual}`
}

function going(progress: readonly ChainProgress[], isOver: boolean, now: number): string {
  const lengths = progress.map(({ length }) => length)
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)]
  const draws = least === most ? count(most, 'draw') : `${least} to ${most} draws`
  const last = Math.max(...progress.map(({ updatedAt }) => updatedAt))
  const when = isOver ? 'the run is over' : `the last came ${span(Math.max(0, now - last) / 1000)} ago`
  return `${count(progress.length, 'chain')} of ${draws}, warmup included; ${when}`
}

function numbers(chains: readonly ChainProgress[]): string {
  return chainsText(chains.map(({ chain }) => chain))
}

function medianLength(progress: readonly ChainProgress[]): number {
  const sorted = progress.map(({ length }) => length).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const high = sorted[middle] as number
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] as number) + high) / 2
}
