/** Runs that people have, and pages forget: short, lone, many, without stats, without numbers, and with names that mean harm. */
import type { HttpBackend } from '../../../../src/client/index.ts'
import { encodeNdArray } from '../../../../src/client/index.ts'
import { normals } from '../../../support/draws-of-chains.ts'
import { FINISHED, write } from './writing.ts'

const float64 = 'float64'
const MU_TAU = [
  { name: 'mu', dtype: float64 },
  { name: 'tau', dtype: float64 },
]
const NUTS = [
  { name: 'tune', dtype: 'bool' },
  { name: 'lp', dtype: float64 },
  { name: 'energy', dtype: float64 },
  { name: 'diverging', dtype: 'bool' },
  { name: 'step_size', dtype: float64 },
  { name: 'tree_depth', dtype: 'int64' },
  { name: 'acceptance_rate', dtype: float64 },
]

/** Stats of a sampler that is well; `lp` follows the draw. */
function nuts(normal: () => number, lp: number, isWarmup: boolean) {
  return {
    tune: isWarmup,
    lp,
    energy: -lp + 1 + normal() ** 2,
    diverging: false,
    step_size: 0.5,
    tree_depth: 3,
    acceptance_rate: 0.9 + 0.05 * Math.tanh(normal()),
  }
}

/** Normal draws of `mu` and `tau`, with sampler stats; chain `off` is one standard deviation away. */
export async function normal(
  backend: HttpBackend,
  { rid, chains = 4, draws = 500, warmup = 0, off }: Lengths & { readonly off?: number },
): Promise<void> {
  const next = normals(7)
  await write(backend, {
    meta: { rid, variables: MU_TAU, sampleStats: NUTS },
    about: { facts: FINISHED },
    chains,
    draws: warmup + draws,
    draw: (chain, i) => {
      const [a, b] = [next() + (chain === off ? 1.5 : 0), Math.exp(next())]
      return [{ mu: a, tau: b }, nuts(next, -0.5 * (a * a + Math.log(b) ** 2), i < warmup)]
    },
  })
}

interface Lengths {
  readonly rid: string
  readonly chains?: number
  readonly draws?: number
  readonly warmup?: number
}

/** Draws without a single sampler stat. */
export async function withoutStats(backend: HttpBackend, rid: string): Promise<void> {
  const next = normals(8)
  const meta = { rid, variables: MU_TAU }
  await write(backend, { meta, chains: 2, draws: 200, draw: () => [{ mu: next(), tau: Math.exp(next()) }] })
}

/** A scalar beside strings, and arrays whose size changes. */
export async function withoutNumbers(backend: HttpBackend, rid: string): Promise<void> {
  const next = normals(9)
  await write(backend, {
    meta: {
      rid,
      variables: [
        { name: 'mu', dtype: float64 },
        { name: 'word', dtype: 'str' },
        { name: 'path', dtype: float64, shape: [-1] },
        { name: 'flag', dtype: 'bool' },
        { name: 'count', dtype: 'int64', shape: [3] },
      ],
    },
    chains: 2,
    draws: 150,
    draw: (chain, i) => [
      {
        mu: next(),
        word: `word ${chain} ${i}`,
        path: { dtype: 'float64', shape: [i % 4], data: Float64Array.from({ length: i % 4 }, next) },
        flag: next() > 0,
        count: new BigInt64Array([0n, 1n, 2n].map((n) => n + BigInt(Math.round(Math.abs(3 * next()))))),
      },
    ],
  })
}

/** Text that would do something, were it anything else. */
export const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '"><script>alert(1)</script>',
  "javascript:alert('1')",
  '{{7*7}} %00 &lt;b&gt;',
  '\u202egnp.exe',
]

/** Names, labels, tags, notes, facts and attributes that are markup, each with its place, and one that is very long. */
export async function hostile(backend: HttpBackend, rid: string): Promise<void> {
  const [image = '', script = '', link = '', template = '', turned = ''] = HOSTILE
  const next = normals(10)
  const labels = [image, `${script} b`, `${'long '.repeat(60)}end`]
  const run = await write(backend, {
    meta: {
      rid,
      variables: [
        { name: `${image} x`, dtype: float64 },
        { name: `${script} v`, dtype: float64, shape: [3], dims: [`${template} dim`] },
        { name: 'w'.repeat(200), dtype: float64 },
      ],
      sampleStats: [
        { name: 'lp', dtype: float64 },
        { name: 'diverging', dtype: 'bool' },
        { name: `${image} stat`, dtype: float64 },
      ],
      coordinates: [{ name: `${template} dim`, values: encodeNdArray({ dtype: 'str', shape: [3], data: labels }) }],
      data: [
        {
          name: `${image} data`,
          isObserved: true,
          value: encodeNdArray({ dtype: 'str', shape: [2], data: [script, link] }),
        },
      ],
      attributes: {
        [`${image} key`]: { kind: 'stringValue', stringValue: `${script} value` },
        link: { kind: 'stringValue', stringValue: link },
      },
    },
    chains: 2,
    draws: 120,
    draw: (_chain, i) => [
      {
        [`${image} x`]: next(),
        [`${script} v`]: Float64Array.from([next(), next(), next()]),
        ['w'.repeat(200)]: next(),
      },
      { lp: next(), diverging: i % 20 === 0, [`${image} stat`]: next() },
    ],
  })
  await run.setAbout({
    name: `${image} ${turned}`,
    tags: [image.slice(0, 40), 'tag'],
    notes: `${script}\n${link}\n${'note '.repeat(300)}`,
    facts: { [`${image} fact`]: script, nested: { [image]: [link] } },
  })
}

/** A vector of `elements` and eight scalars: what a page must not draw all at once. */
export async function wide(
  backend: HttpBackend,
  { rid, chains = 4, draws = 100, elements = 10_000 }: Lengths & { readonly elements?: number },
): Promise<void> {
  const scalars = Array.from({ length: 8 }, (_, i) => `s${i}`)
  const next = normals(11)
  await write(backend, {
    meta: {
      rid,
      variables: [
        ...scalars.map((name) => ({ name, dtype: float64 })),
        { name: 'x', dtype: float64, shape: [elements], dims: ['cell'] },
      ],
      sampleStats: NUTS,
    },
    about: { facts: FINISHED },
    chains,
    draws,
    draw: (chain) => {
      const x = Float64Array.from({ length: elements }, next)
      // One element that mixes badly.
      x[1234] = (x[1234] ?? 0) + 2 * chain
      return [{ ...Object.fromEntries(scalars.map((name) => [name, next()])), x }, nuts(next, -5 + next(), false)]
    },
  })
}
