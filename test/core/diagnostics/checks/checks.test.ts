/** Every row of the table of checks (the contract, section 8), on either side of each threshold. */
import { describe, expect, it, test } from 'vitest'
import type { Check, CheckName, Status } from '../../../../src/core/diagnostics/checks/check.ts'
import { checksOf as checksOfEvidence } from '../../../../src/core/diagnostics/checks/checks.ts'
import { type FigureValue, smaller } from '../../../../src/core/diagnostics/checks/distribution.ts'
import { type DrawEvidence, noEvidence } from '../../../../src/core/diagnostics/checks/draw-evidence.ts'
import { essDistribution } from '../../../../src/core/diagnostics/checks/ess-check.ts'
import type { ChainProgress, Evidence } from '../../../../src/core/diagnostics/checks/evidence.ts'
import { rhatDistribution } from '../../../../src/core/diagnostics/checks/rhat-check.ts'

const NOW = Date.UTC(2026, 0, 1)
const CHAINS = [0, 1, 2, 3]

function chain(number: number, length: number, silence = 1, pause = 1): ChainProgress {
  return { chain: number, length, updatedAt: NOW - 1000 * silence, pause }
}

function inDraws(change: Partial<DrawEvidence> = {}): DrawEvidence {
  return { ...noEvidence(4), scalars: 2, varying: 2, ...change }
}

/** Evidence with the figures of each scalar, of which it has distributions. */
interface Given extends Omit<Evidence, 'rhat' | 'essBulk' | 'essTail' | 'ess'> {
  readonly rhat: readonly FigureValue[]
  readonly essBulk: readonly FigureValue[]
  readonly essTail: readonly FigureValue[]
}

function evidenceOf(given: Given): Evidence {
  const [rhat, essBulk, essTail, ess] = [
    rhatDistribution(),
    essDistribution(given.chains.length),
    essDistribution(given.chains.length),
    essDistribution(given.chains.length),
  ]
  for (let row = 0; row < given.scalars; row++) {
    const bulk = given.essBulk[row] ?? 'pending'
    const tail = given.essTail[row] ?? 'pending'
    rhat.add(row, given.rhat[row] ?? 'pending')
    essBulk.add(row, bulk)
    essTail.add(row, tail)
    ess.add(row, smaller(bulk, tail))
  }
  return { ...given, rhat, essBulk, essTail, ess }
}

const checksOf = (given: Given) => checksOfEvidence(evidenceOf(given))

/** A run of two scalars, mu and tau, of which nothing is wrong. */
const GOOD: Given = {
  now: NOW,
  isOver: false,
  progress: CHAINS.map((number) => chain(number, 2000)),
  chains: CHAINS,
  draws: 1000,
  scalars: 2,
  label: (row) => ['mu', 'tau'][row] ?? `theta[${row}]`,
  rhat: [1.001, 1.003],
  essBulk: [3900, 1200],
  essTail: [3800, 1300],
  inDraws: inDraws(),
  divergences: { marked: [0, 0, 0, 0], draws: 1000 },
  bfmi: [0.9, 1.1, 0.8, 1],
  treeDepths: { marked: [0, 0, 0, 0], draws: 1000, limit: { depth: 10, isAssumed: false } },
  blame: [],
  growth: [],
  seconds: 60,
}

function check(name: CheckName, change: Partial<Given>): Check {
  const found = checksOf({ ...GOOD, ...change }).checks.find((each) => each.check === name)
  if (found === undefined) throw new Error(`there is no check ${name}`)
  return found
}

describe('all checks', () => {
  it('come in one order, and say what is good', () => {
    const { draws, status, checks } = checksOf(GOOD)
    expect({ draws, status }).toEqual({ draws: 1000, status: 'ok' })
    expect(checks.map((each) => each.check)).toEqual([
      'progress',
      'finite',
      'stuck',
      'divergences',
      'rhat',
      'ess',
      'bfmi',
      'treedepth',
    ])
    expect(checks.map((each) => each.status)).toEqual(checks.map(() => 'ok'))
    expect(checks.map((each) => each.message)).toMatchInlineSnapshot(`
      [
        "4 chains of 2000 draws, warmup included; the last came 1 s ago",
        "Every value of 2 scalars is finite",
        "All chains move; at most 0 % of a chain's draws repeat the one before",
        "None of 4000 draws diverged",
        "R-hat is at most 1.003 (tau) over 2 scalars; the threshold is 1.01 (Vehtari et al. 2021)",
        "The least bulk ESS is 1200 (tau) over 2 scalars; the threshold is 400, 100 a chain (Vehtari et al. 2021)",
        "E-BFMI is at least 0.8 (chain 2); the threshold is 0.3 (Betancourt 2016, arXiv:1604.00695)",
        "0 of 4000 draws (0 %) reached the maximum depth of the tree of 10 (1023 steps)",
      ]
    `)
  })

  it('are unknown below 100 draws in all', () => {
    const few = checksOf({ ...GOOD, draws: 24 })
    expect(few.status).toBe('unknown')
    expect(few.checks.map((each) => each.status)).toEqual(few.checks.map(() => 'unknown'))
    expect(few.checks[0]?.message).toBe('Too few draws: 96 draws behind warmup, of 100 that a check needs')
    expect(checksOf({ ...GOOD, draws: 25 }).status).toBe('ok')
    expect(checksOf({ ...GOOD, draws: 0, chains: [], progress: [] }).status).toBe('unknown')
  })

  it('are as bad as the worst of them, of which unknown is none', () => {
    expect(checksOf({ ...GOOD, bfmi: 'absent' }).status).toBe('ok')
    expect(checksOf({ ...GOOD, bfmi: 'absent', rhat: [1.02, 1] }).status).toBe('warn')
    const bad = { divergences: { marked: [0, 1, 0, 0], draws: 1000 }, rhat: [1.02, 1] }
    expect(checksOf({ ...GOOD, ...bad }).status).toBe('fail')
  })
})

/** A row: a check, how it is told, what of the good run is different, and the status. */
type Row = readonly [CheckName, string, Partial<Given>, Status]

const withLengths = (...lengths: number[]) => ({ progress: lengths.map((length, i) => chain(i, length)) })
const silent = (silence: number, pause: number) => ({ progress: [chain(0, 2000), chain(1, 2000, silence, pause)] })
const marks = (marked: number, draws = 1000) => ({ marked: [marked, 0, 0, 0], draws })

const ROWS: readonly Row[] = [
  ['progress', 'silent for 61 s', silent(61, 6), 'warn'],
  ['progress', 'silent for 60 s', silent(60, 0.1), 'ok'],
  ['progress', 'silent for ten pauses', silent(100, 10), 'ok'],
  ['progress', 'silent for more', silent(101, 10), 'warn'],
  ['progress', 'silent, but over', { ...silent(9999, 1), isOver: true }, 'ok'],
  ['progress', 'half the median', withLengths(1000, 2000, 2000, 2000), 'ok'],
  ['progress', 'less than half the median', withLengths(999, 2000, 2000, 2000), 'warn'],
  ['progress', 'the median of an even number is in the middle', withLengths(99, 100, 300, 300), 'warn'],
  ['progress', 'no chain', { progress: [] }, 'unknown'],
  [
    'finite',
    'one NaN',
    {
      inDraws: inDraws({
        blemished: 1,
        nonFinite: 1,
        nonFiniteIn: Float64Array.of(0, 0, 1, 0),
        mostNonFinite: [{ row: 1, value: 1 }],
      }),
    },
    'fail',
  ],
  ['finite', 'not all were looked at', { inDraws: inDraws({ scalars: 1 }) }, 'unknown'],
  ['stuck', 'half of the draws repeat', { inDraws: inDraws({ repeats: 0.5 }) }, 'ok'],
  [
    'stuck',
    'more than half',
    {
      inDraws: inDraws({
        repeats: 0.501,
        repeatsIn: Float64Array.of(0, 1, 0, 0),
        repeating: [{ row: 0, value: 0.501 }],
      }),
    },
    'warn',
  ],
  [
    'stuck',
    'one value in the last half',
    { inDraws: inDraws({ stillIn: Float64Array.of(0, 0, 1, 0), standing: [{ row: 1, value: 1 }] }) },
    'fail',
  ],
  ['stuck', 'one value in all', { inDraws: inDraws({ varying: 0 }) }, 'fail'],
  ['stuck', 'not all were looked at', { inDraws: inDraws({ scalars: 1 }) }, 'unknown'],
  ['divergences', 'one', { divergences: marks(1) }, 'fail'],
  ['divergences', 'no such stat', { divergences: 'absent' }, 'unknown'],
  ['divergences', 'not counted yet', { divergences: 'pending' }, 'unknown'],
  ['rhat', '1.01', { rhat: [1.01, 1] }, 'ok'],
  ['rhat', 'above 1.01', { rhat: [1.0101, 1] }, 'warn'],
  ['rhat', '1.05', { rhat: [1.05, 1] }, 'warn'],
  ['rhat', 'above 1.05', { rhat: [1, 1.0501] }, 'fail'],
  ['rhat', 'infinite', { rhat: [1, 'infinite'] }, 'fail'],
  ['rhat', 'a constant is left out', { rhat: [1, 'constant'] }, 'ok'],
  ['rhat', 'constants alone', { rhat: ['constant', 'constant'] }, 'unknown'],
  ['rhat', 'not all computed', { rhat: [1, 'pending'] }, 'unknown'],
  ['rhat', 'not all computed, but some above', { rhat: [1.02, 'pending'] }, 'warn'],
  ['rhat', 'no scalars', { scalars: 0 }, 'unknown'],
  ['ess', '400 of four chains', { essBulk: [400, 4000] }, 'ok'],
  ['ess', 'less bulk ESS', { essBulk: [399.9, 4000] }, 'warn'],
  ['ess', 'less tail ESS', { essTail: [399.9, 4000] }, 'warn'],
  ['ess', '100 of four chains', { essTail: [100, 4000] }, 'warn'],
  ['ess', 'less than 100', { essTail: [99.9, 4000] }, 'fail'],
  ['ess', '100 of one chain', { chains: [7], draws: 4000, essBulk: [100, 4000] }, 'ok'],
  ['ess', 'not all computed', { essBulk: [4000, 'pending'] }, 'unknown'],
  ['ess', 'not all computed, but some below', { essBulk: [50, 'pending'] }, 'fail'],
  ['ess', 'tails of indicators that are constant', { essTail: ['constant', 'constant'] }, 'ok'],
  ['bfmi', '0.3', { bfmi: [1, 0.3, 1, 1] }, 'ok'],
  ['bfmi', 'below 0.3', { bfmi: [1, 0.2999, 1, 1] }, 'warn'],
  ['bfmi', '0.2', { bfmi: [1, 0.2, 1, 1] }, 'warn'],
  ['bfmi', 'below 0.2', { bfmi: [1, 0.1999, 1, 1] }, 'fail'],
  ['bfmi', 'no such stat', { bfmi: 'absent' }, 'unknown'],
  ['bfmi', 'not read yet', { bfmi: 'pending' }, 'unknown'],
  ['bfmi', 'constant energies', { bfmi: ['constant', 'constant', 'constant', 'constant'] }, 'unknown'],
  ['treedepth', '39 of 4000', { treeDepths: marks(39) }, 'ok'],
  ['treedepth', '40 of 4000', { treeDepths: marks(40) }, 'warn'],
  ['treedepth', 'no such stat', { treeDepths: 'absent' }, 'unknown'],
  ['treedepth', 'not read yet', { treeDepths: 'pending' }, 'unknown'],
]

test.each(ROWS)('%s: %s', (name, _how, change, status) => {
  expect(check(name, change).status).toBe(status)
})

test('only findings that ask for something have advice', () => {
  for (const [name, , change] of ROWS) {
    const { status, advice, message } = check(name, change)
    expect(message).toMatch(/^[A-Z\d]/)
    if (status === 'warn' || status === 'fail') expect(advice, name).toMatch(/^[A-Z]/)
    if (status === 'ok') expect(advice, name).toBe('')
  }
})

describe('progress', () => {
  it('names the chains that are silent, and those that are short', () => {
    const progress = [chain(0, 2000), chain(1, 2000), chain(2, 900), chain(5, 1900, 7200, 2)]
    expect(check('progress', { progress })).toMatchInlineSnapshot(`
      {
        "advice": "Look at the log of the process that samples there, and start it again; if the run is over, say so in its facts (finishedAt)",
        "chains": [
          {
            "chain": 2,
            "value": 900,
          },
          {
            "chain": 5,
            "value": 1900,
          },
        ],
        "check": "progress",
        "message": "Nothing came from chain 5 for 2 h, more than ten times the usual pause of 2 s and 60 s; chain 2 has less than half the median of 1950 draws",
        "status": "warn",
      }
    `)
  })
})

describe('finite and stuck', () => {
  it('name chains and scalars', () => {
    const nonFinite = inDraws({
      blemished: 2,
      nonFinite: 4,
      nonFiniteIn: Float64Array.of(0, 1, 0, 2),
      mostNonFinite: [
        { row: 1, value: 3 },
        { row: 0, value: 1 },
      ],
    })
    expect(check('finite', { inDraws: nonFinite })).toMatchInlineSnapshot(`
      {
        "advice": "No mean, R-hat or ESS can be trusted there: look for overflow, the logarithm of 0 or a division by 0 in the model, compute on the log scale, or bound the variable away from the edge of its support",
        "chains": [
          {
            "chain": 1,
            "value": 1,
          },
          {
            "chain": 3,
            "value": 2,
          },
        ],
        "check": "finite",
        "message": "4 values of 2 scalars are NaN or infinite, in chains 1 and 3; most in tau",
        "status": "fail",
        "worst": [
          {
            "label": "tau",
            "value": 3,
          },
          {
            "label": "mu",
            "value": 1,
          },
        ],
      }
    `)
    const still = inDraws({
      stillIn: Float64Array.of(0, 0, 2, 0),
      standing: [
        { row: 0, value: 1 },
        { row: 1, value: 1 },
      ],
    })
    expect(check('stuck', { inDraws: still })).toMatchInlineSnapshot(`
      {
        "advice": "Leave these chains out, and start them again from another place; a sampler that accepts nothing there wants smaller steps, or a model without that trap",
        "chains": [
          {
            "chain": 2,
            "value": 2,
          },
        ],
        "check": "stuck",
        "message": "Chain 2 has one value in the last half of the draws: mu and 1 more scalar",
        "status": "fail",
        "worst": [
          {
            "label": "mu",
            "value": 1,
          },
          {
            "label": "tau",
            "value": 1,
          },
        ],
      }
    `)
    const repeats = inDraws({
      repeats: 0.8,
      repeatsIn: Float64Array.of(1, 0, 1, 0),
      repeating: [{ row: 1, value: 0.8 }],
    })
    expect(check('stuck', { inDraws: repeats })).toMatchInlineSnapshot(`
      {
        "advice": "Most proposals are rejected: a sampler by gradients needs a smaller step size; a random walk of Metropolis rejects three of four at its best (Roberts, Gelman and Gilks 1997), so judge it by its ESS",
        "chains": [
          {
            "chain": 0,
            "value": 1,
          },
          {
            "chain": 2,
            "value": 1,
          },
        ],
        "check": "stuck",
        "message": "Chains 0 and 2 repeat more than half of the draws: up to 80 % of those of tau equal the one before",
        "status": "warn",
        "worst": [
          {
            "label": "tau",
            "value": 0.8,
          },
        ],
      }
    `)
  })
})

describe('divergences', () => {
  const divergences = { marked: [9, 0, 5, 0], draws: 1000 }

  it('gather somewhere', () => {
    const gathering = [
      { row: 1, value: 0.03 },
      { row: 0, value: 0.6 },
    ]
    expect(check('divergences', { divergences, inDraws: inDraws({ gathering }) })).toMatchInlineSnapshot(`
      {
        "advice": "Any divergence may bias the estimates (Betancourt 2017, arXiv:1701.02434): reparameterise the model where tau is small (a hierarchical scale: non-centred), then raise target_accept (adapt_delta in Stan) towards 0.99 and see them vanish",
        "chains": [
          {
            "chain": 0,
            "value": 9,
          },
          {
            "chain": 2,
            "value": 5,
          },
        ],
        "check": "divergences",
        "message": "14 of 4000 draws diverged (0.35 %); they gather at small tau",
        "status": "fail",
        "worst": [
          {
            "at": "small",
            "label": "tau",
            "value": 0.97,
          },
          {
            "at": "large",
            "label": "mu",
            "value": 0.6,
          },
        ],
      }
    `)
  })

  it('gather nowhere that chance could not explain', () => {
    const gathering = [{ row: 1, value: 0.6 }]
    expect(check('divergences', { divergences, inDraws: inDraws({ gathering }) }).message).toBe(
      '14 of 4000 draws diverged (0.35 %); no scalar sets them apart',
    )
  })

  it('of ten thousand scalars some seem to tell a place', () => {
    const gathering = [{ row: 1, value: 0.8 }]
    expect(check('divergences', { divergences, inDraws: inDraws({ gathering }) }).message).toContain('at large tau')
    const wide = { scalars: 10_000, inDraws: inDraws({ gathering, scalars: 10_000 }), divergences }
    expect(check('divergences', wide).message).toContain('no scalar')
  })

  it('are told before their place is known', () => {
    const soFar = inDraws({ scalars: 1, gathering: [{ row: 0, value: 0.99 }] })
    expect(check('divergences', { divergences, inDraws: soFar }).message).toBe(
      '14 of 4000 draws diverged (0.35 %); they gather at large mu, of 1 of 2 scalars so far',
    )
    const { inDraws: _, ...without } = GOOD
    const [, , , found] = checksOf({ ...without, divergences }).checks
    expect(found?.message).toBe('14 of 4000 draws diverged (0.35 %)')
  })
})

describe('R-hat', () => {
  it('blames the chain without which it is good', () => {
    const blame = [{ row: 1, rhat: 1.4, without: [1.45, 1.42, 1.002, 1.5] }]
    expect(check('rhat', { rhat: [1.02, 1.4], blame })).toMatchInlineSnapshot(`
      {
        "advice": "Look at chain 2: its trace, its starting point, its step size; start it again, and longer, before trusting the others: it may have found a mode that they have not",
        "chains": [
          {
            "chain": 0,
            "value": 1.45,
          },
          {
            "chain": 1,
            "value": 1.42,
          },
          {
            "chain": 2,
            "value": 1.002,
          },
          {
            "chain": 3,
            "value": 1.5,
          },
        ],
        "check": "rhat",
        "message": "R-hat is up to 1.4 (tau); 2 of 2 scalars (100 %) exceed 1.01, the threshold of Vehtari et al. 2021, and the worst exceeds 1.05, that of RStan; without chain 2 that of tau would be 1.002",
        "status": "fail",
        "worst": [
          {
            "label": "tau",
            "value": 1.4,
          },
          {
            "label": "mu",
            "value": 1.02,
          },
        ],
      }
    `)
  })

  it('tells the share of scalars above the threshold', () => {
    const values = Array.from({ length: 10_008 }, (_, row) => (row < 12 ? 1.012 : 1.001))
    const { message, worst } = check('rhat', { scalars: values.length, rhat: values })
    expect(message).toBe(
      'R-hat is up to 1.012 (mu); 12 of 10008 scalars (0.12 %) exceed 1.01, the threshold of Vehtari et al. 2021; of so many, a few exceed it by chance',
    )
    expect(worst).toHaveLength(5)
  })

  it('of chains that are each constant has no number', () => {
    const { message, worst } = check('rhat', { rhat: [1, 'infinite'] })
    expect(message).toContain('R-hat is up to infinite (tau)')
    expect(worst?.[0]).toEqual({ label: 'tau', value: null })
  })

  it('says that of one chain it sees little', () => {
    expect(check('rhat', { chains: [3], draws: 4000 }).message).toContain('of one chain it compares the halves alone')
  })
})

describe('ESS', () => {
  const low = { essBulk: [3900, 210] }

  it('grows with the draws, and its time is told', () => {
    const growth = [{ row: 1, half: 100, all: 210 }]
    expect(check('ess', { ...low, growth })).toMatchInlineSnapshot(`
      {
        "advice": "Go on: at 3.5 effective draws a second 400 are reached in about 54 s, or reparameterise: draws that depend less on one another",
        "check": "ess",
        "message": "The least bulk ESS is 210 (tau); 1 of 2 scalars (50 %) has less than 400, 100 a chain (Vehtari et al. 2021); that of tau grows with the draws, from 100 in their first half to 210",
        "status": "warn",
        "worst": [
          {
            "label": "tau",
            "value": 210,
          },
          {
            "label": "mu",
            "value": 3800,
          },
        ],
      }
    `)
    expect(check('ess', { ...low, growth, isOver: true }).advice).toContain('about 2000 draws a chain')
  })

  it('does not grow, and more draws do not help', () => {
    const { message, advice } = check('ess', { ...low, growth: [{ row: 1, half: 190, all: 210 }] })
    expect(message).toContain('does not grow with the draws: 190 in their first half, 210 in all')
    expect(advice).toContain('More draws alone will not help')
  })

  it('is not foretold where R-hat is bad', () => {
    expect(check('ess', { ...low, rhat: [1.2, 1] }).advice).not.toContain('a second')
  })

  it('says of two figures the worse', () => {
    expect(check('ess', { essTail: [3800, 77] }).message).toContain('the least tail ESS is 77 (tau)'.slice(4))
  })
})

describe('E-BFMI and depths', () => {
  it('name the chains', () => {
    expect(check('bfmi', { bfmi: [0.9, 0.25, 0.1, 'constant'] })).toMatchInlineSnapshot(`
      {
        "advice": "The energies change too slowly to reach the tails: reparameterise heavy tails and hierarchical scales, and sample a longer warmup",
        "chains": [
          {
            "chain": 0,
            "value": 0.9,
          },
          {
            "chain": 1,
            "value": 0.25,
          },
          {
            "chain": 2,
            "value": 0.1,
          },
        ],
        "check": "bfmi",
        "message": "E-BFMI is 0.1 in chain 2, below 0.2, the threshold of RStan (Betancourt 2016, arXiv:1604.00695); chains 1 and 2 are below 0.3",
        "status": "fail",
      }
    `)
    const limit = { depth: 10, isAssumed: true }
    expect(check('treedepth', { treeDepths: { marked: [0, 0, 400, 0], draws: 1000, limit } })).toMatchInlineSnapshot(`
      {
        "advice": "The draws are valid, but trajectories that are cut off explore slowly (Stan reference manual, NUTS): give variables scales near 1, reparameterise, or raise max_treedepth by one, which may double the time",
        "chains": [
          {
            "chain": 2,
            "value": 400,
          },
        ],
        "check": "treedepth",
        "message": "400 of 4000 draws (10 %) reached a depth of the tree of 10 (1023 steps), assumed to be the maximum, for nothing tells it; from 1 % on it costs much",
        "status": "warn",
      }
    `)
  })
})
