/** The fraction of missing information of energies: heavy tails that momenta do not reach. */
import { type Finding, unknown } from './check.ts'
import type { Evidence } from './evidence.ts'
import { chainsText, figure } from './words.ts'

/** The threshold of CmdStan's `diagnose`, and the one of RStan. */
const WARN = 0.3
const FAIL = 0.2

export function bfmiCheck({ bfmi, chains }: Evidence): Finding {
  if (bfmi === 'absent')
    return unknown('the run has no sampler stat `energy` (`energy__` of Stan): only HMC and NUTS tell energies')
  if (bfmi === 'pending') return unknown('energies were not read yet')
  const values = chains.flatMap((chain, i) => {
    const value = bfmi[i]
    return typeof value === 'number' ? [{ chain, value }] : []
  })
  const [first, ...others] = values
  if (first === undefined) return unknown('the energies of no chain give an E-BFMI: they are constant, or not finite')
  const least = others.reduce((a, b) => (b.value < a.value ? b : a), first)
  if (least.value >= WARN) {
    const message = `E-BFMI is at least ${figure(least.value)} (chain ${least.chain}); the threshold is ${WARN} (Betancourt 2016, arXiv:1604.00695)`
    return { status: 'ok', message, advice: '', chains: values }
  }
  const low = values.filter(({ value }) => value < WARN)
  const isFail = least.value < FAIL
  return {
    status: isFail ? 'fail' : 'warn',
    message:
      `E-BFMI is ${figure(least.value)} in chain ${least.chain}, below ${isFail ? `${FAIL}, the threshold of RStan` : `${WARN}, the threshold of CmdStan`} ` +
      `(Betancourt 2016, arXiv:1604.00695)${low.length > 1 ? `; ${chainsText(low.map(({ chain }) => chain))} are below ${WARN}` : ''}`,
    advice:
      'the energies change too slowly to reach the tails: reparameterise heavy tails and hierarchical scales, and sample a longer warmup',
    chains: values,
  }
}
