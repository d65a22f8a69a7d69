/** R-hat of all scalars, and the chain that is to blame. */
import { chainToBlame } from './blame.ts'
import { type Finding, type NamedValue, unknown } from './check.ts'
import { Distribution } from './distribution.ts'
import type { Evidence } from './evidence.ts'
import type { Ranked } from './ranked.ts'
import { count, percent, rhatText } from './words.ts'

/** The threshold of Vehtari et al. (2021), and the one of RStan's warning. */
const WARN = 1.01
const FAIL = 1.05
/** Some of so many scalars exceed the threshold by chance: they are few, and not far above it. */
const MANY = 1000
const FEW = 0.01
const NOT_FAR = 1.02

export const rhatDistribution = (): Distribution => new Distribution('largest', WARN)

export function rhatCheck(evidence: Evidence): Finding {
  const { scalars, rhat: found } = evidence
  if (scalars === 0) return unknown('the run has no numeric variable of fixed shape')
  const [worst] = found.ranked
  const isBeyond = worst !== undefined && worst.value > WARN
  if (found.pending > 0 && !isBeyond)
    return unknown(`R-hat is not computed yet of ${found.pending} of ${scalars} scalars`)
  if (worst === undefined) return unknown(`no scalar has an R-hat: ${found.without}`)
  return isBeyond ? tooLarge(evidence, found, worst) : small(evidence, found, worst)
}

function small(evidence: Evidence, found: Distribution, { row, value }: Ranked): Finding {
  const alone = aloneText(evidence)
  return {
    status: 'ok',
    message:
      `R-hat is at most ${rhatText(value)} (${evidence.label(row)}) over ${count(found.known, 'scalar')}; ` +
      `the threshold is ${WARN} (Vehtari et al. 2021)${alone}`,
    advice: alone === '' ? '' : 'sample four chains',
    worst: named(evidence, found),
  }
}

function tooLarge(evidence: Evidence, found: Distribution, { row, value }: Ranked): Finding {
  const status = value > FAIL ? 'fail' : 'warn'
  const blamed = blamedChain(evidence)
  return {
    status,
    message:
      `R-hat is up to ${rhatText(value)} (${evidence.label(row)}); ${share(found)}, the threshold of Vehtari et al. 2021` +
      `${status === 'fail' ? `, and the worst exceeds ${FAIL}, that of RStan` : ''}${byChance(found, value)}${blamed?.text ?? ''}${aloneText(evidence)}`,
    advice: blamed?.advice ?? ADVICE[status],
    ...(blamed === undefined ? {} : { chains: blamed.chains }),
    worst: named(evidence, found),
  }
}

const ADVICE = {
  warn: 'sample longer: R-hat comes down as ESS grows if the chains do mix; else reparameterise',
  fail: 'the chains have not mixed, and their means must not be used: look at their traces, sample a longer warmup, reparameterise, or use stronger priors where the data tell little',
} as const

function named({ label }: Evidence, { ranked }: Distribution): NamedValue[] {
  return ranked.map(({ row, value }) => ({ label: label(row), value: Number.isFinite(value) ? value : null }))
}

function aloneText({ chains }: Evidence): string {
  return chains.length === 1
    ? '; of one chain it compares the halves alone, and cannot see places that other chains would find'
    : ''
}

function share({ beyond, known, pending }: Distribution): string {
  const soFar = pending > 0 ? ` known so far, with ${pending} to come,` : ''
  return `${beyond} of ${count(known, 'scalar')}${soFar} (${percent(beyond, known)}) ${beyond === 1 ? 'exceeds' : 'exceed'} ${WARN}`
}

function byChance({ beyond, known }: Distribution, worst: number): string {
  return known >= MANY && beyond < FEW * known && worst < NOT_FAR ? '; of so many, a few exceed it by chance' : ''
}

/** The chain to blame for the worst scalar that a single one is to blame for, with R-hat without each chain. */
function blamedChain({ blame, chains, label }: Evidence) {
  for (const each of blame) {
    const place = chainToBlame(each)
    const chain = chains[place ?? -1]
    if (place === undefined || chain === undefined) continue
    const without = each.without[place] as number
    return {
      text: `; without chain ${chain} that of ${label(each.row)} would be ${rhatText(without)}`,
      advice: `look at chain ${chain}: its trace, its starting point, its step size; start it again, and longer, before trusting the others: it may have found a mode that they have not`,
      chains: chains.flatMap((number, i) => {
        const value = each.without[i] as number
        return Number.isFinite(value) ? [{ chain: number, value }] : []
      }),
    }
  }
  return undefined
}
