/** Runs of every kind that a server keeps, for moving them elsewhere. */
import { HttpBackend, type NdArray } from '../../src/client/index.ts'
import type { DrawBatch, Draws } from '../../src/core/interfaces.ts'
import { PROTOBUF } from '../../src/core/media-types.ts'
import { concatBytes, fieldHead } from '../../src/core/wire/protobuf.ts'
import { encodeRunMeta, mcbackend } from '../../src/core/wire/run-meta.ts'
import { HOSTILE_NAMES } from '../conformance/names.ts'

/** NaN with payloads and signs, infinities, subnormals, −0. */
const BITS = [0x7ff8deadbeefcafen, 0xfff7ffffffffffffn, 0x7ff0000000000001n, 0x8000000000000000n, 0x0000000000000001n]

const floats = (count: number, seed: number) =>
  new Float64Array(
    new BigUint64Array(Array.from({ length: count }, (_, i) => (BITS[(i + seed) % BITS.length] ?? 0n) ^ BigInt(i)))
      .buffer,
  )
const array = (shape: number[], seed = 0): NdArray => ({
  dtype: 'float64',
  shape,
  data: floats(
    shape.reduce((a, b) => a * b, 1),
    seed,
  ),
})

async function appended(
  backend: HttpBackend,
  meta: mcbackend.RunMeta.$Properties,
  batches: Readonly<Record<number, readonly DrawBatch[]>>,
) {
  const run = await backend.initRun(meta)
  for (const [number, list] of Object.entries(batches)) {
    const chain = await run.initChain(Number(number))
    for (const batch of list) await chain.appendBatch(batch)
  }
  return run
}

const batch = (
  count: number,
  draws: Readonly<Record<string, Draws>>,
  stats: Readonly<Record<string, Draws>> = {},
): DrawBatch => ({
  count,
  draws: new Map(Object.entries(draws)),
  stats: new Map(Object.entries(stats)),
})

/** Registers them all; the longest draw has `megabytes`. */
export async function registerKinds(url: string, megabytes = 3): Promise<void> {
  const backend = new HttpBackend({ url })
  await numbers(backend)
  await variable(backend)
  await strings(backend)
  await named(backend)
  await odd(backend, url)
  const many = await backend.initRun({ rid: 'many-chains', variables: [{ name: 'x', dtype: 'float64' }] })
  for (let number = 0; number < 40; number++) {
    const chain = await many.initChain(number === 39 ? 2 ** 31 - 1 : number)
    if (number % 3 > 0) await chain.appendBatch(batch(number, { x: array([number], number) }))
  }
  const elements = megabytes * 131_072
  await appended(
    backend,
    { rid: 'huge-draw', variables: [{ name: 'x', dtype: 'float64', shape: [elements] }] },
    {
      0: [batch(1, { x: array([1, elements]) }), batch(2, { x: array([2, elements], 1) })],
    },
  )
  await backend.close()
}

async function numbers(backend: HttpBackend): Promise<void> {
  const dtypes = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'float32'] as const
  const types = {
    int8: Int8Array,
    uint8: Uint8Array,
    int16: Int16Array,
    uint16: Uint16Array,
    int32: Int32Array,
    uint32: Uint32Array,
    float32: Float32Array,
  }
  const draws: Record<string, Draws> = Object.fromEntries(
    dtypes.map((dtype): [string, Draws] => {
      const bytes = new Uint8Array(new Uint8Array(4 * 6 * 4).map((_, i) => (i * 151) % 256))
      return [dtype, ndarray({ dtype, shape: [4, 2, 3], data: new types[dtype](bytes.buffer, 0, 24) })]
    }),
  )
  const big = [2n ** 63n - 1n, -(2n ** 63n), 0n, -1n]
  await appended(
    backend,
    {
      rid: 'numbers',
      variables: [
        ...dtypes.map((dtype) => ({ name: dtype, dtype, shape: [2, 3] })),
        { name: 'f', dtype: 'float64', shape: [5] },
        { name: 'i', dtype: 'int64' },
        { name: 'u', dtype: 'uint64' },
        { name: 'b', dtype: 'bool' },
        { name: 'none', dtype: 'float64', shape: [0, 3] },
      ],
      sampleStats: [
        { name: 'lp', dtype: 'float64' },
        { name: 'tune', dtype: 'bool' },
        { name: 'vec', dtype: 'float32', shape: [-1, 2] },
      ],
    },
    {
      0: [1, 2].map((seed) =>
        batch(
          4,
          {
            ...draws,
            f: array([4, 5], seed),
            i: { dtype: 'int64', shape: [4], data: new BigInt64Array(big) },
            u: { dtype: 'uint64', shape: [4], data: new BigUint64Array(big) },
            b: { dtype: 'bool', shape: [4], data: new Uint8Array([0, 1, 1, 0]) },
            none: { dtype: 'float64', shape: [4, 0, 3], data: new Float64Array() },
          },
          seed === 1 ? {} : { lp: array([4]), tune: { dtype: 'bool', shape: [4], data: new Uint8Array(4).fill(1) } },
        ),
      ),
    },
  )
}

/** An array whose dtype and data were put together by a table, which the compiler cannot follow. */
function ndarray(array: {
  readonly dtype: 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'float32'
  readonly shape: number[]
  readonly data: NdArray['data']
}): NdArray {
  const { dtype, shape, data } = array
  if (dtype === 'int8' && data instanceof Int8Array) return { dtype, shape, data }
  if (dtype === 'uint8' && data instanceof Uint8Array) return { dtype, shape, data }
  if (dtype === 'int16' && data instanceof Int16Array) return { dtype, shape, data }
  if (dtype === 'uint16' && data instanceof Uint16Array) return { dtype, shape, data }
  if (dtype === 'int32' && data instanceof Int32Array) return { dtype, shape, data }
  if (dtype === 'uint32' && data instanceof Uint32Array) return { dtype, shape, data }
  if (dtype === 'float32' && data instanceof Float32Array) return { dtype, shape, data }
  throw new TypeError(`${dtype} has another kind of array`)
}

async function variable(backend: HttpBackend): Promise<void> {
  const shapes = [[0], [3], [1], [7], [2], [0]]
  await appended(
    backend,
    {
      rid: 'ragged',
      variables: [
        { name: 'r', dtype: 'float64', shape: [-1] },
        { name: 'any', dtype: 'float64', undefinedNdim: true },
        { name: 'half', dtype: 'float64', shape: [2, -1] },
      ],
      sampleStats: [{ name: 's', dtype: 'float64', undefinedNdim: true }],
    },
    {
      2: [
        batch(6, {
          r: shapes.map((shape, i) => array(shape, i)),
          any: [[], [2], [1, 0, 3], [2, 2], [], [1]].map((s, i) => array(s, i)),
          half: shapes.map(([n = 0]) => array([2, n])),
        }),
        // Sizes that grow a thousandfold within one page.
        batch(
          20,
          {
            r: Array.from({ length: 20 }, (_, i) => array([i < 15 ? 1 : 40_000], i)),
            any: Array.from({ length: 20 }, () => array([])),
            half: Array.from({ length: 20 }, () => array([2, 1])),
          },
          { s: Array.from({ length: 20 }, (_, i) => array([i % 2, 1])) },
        ),
      ],
    },
  )
}

async function strings(backend: HttpBackend): Promise<void> {
  const texts = ['', 'a', 'μ', '\u0000', '😀'.repeat(9), '\ufeff', 'e\u0301', 'x'.repeat(5000)]
  await appended(
    backend,
    {
      rid: 'strings',
      variables: [
        { name: 't', dtype: 'str' },
        { name: 'v', dtype: 'str', shape: [2] },
        { name: 'w', dtype: 'str', shape: [-1] },
      ],
      sampleStats: [{ name: 'u', dtype: 'str' }],
    },
    {
      0: [
        batch(8, {
          t: { dtype: 'str', shape: [8], data: texts },
          v: { dtype: 'str', shape: [8, 2], data: [...texts, ...texts] },
          w: texts.map((text, i) => ({ dtype: 'str', shape: [i], data: Array.from({ length: i }, () => text) })),
        }),
      ],
      1: [],
    },
  )
}

/** Names that break what is careless, of columns; and all that people say of a run. */
async function named(backend: HttpBackend): Promise<void> {
  const names = [...new Set(HOSTILE_NAMES)]
  const run = await appended(
    backend,
    {
      rid: '~odd.NAME_-',
      variables: names.map((name) => ({ name, dtype: 'float32' })),
      attributes: { __proto__x: new mcbackend.ExtendedValue({ stringValue: 'ü' }) },
    },
    {
      7: [
        batch(
          3,
          Object.fromEntries(
            names.map((name, i): [string, Draws] => [
              name,
              { dtype: 'float32', shape: [3], data: new Float32Array([i, Number.NaN, -0]) },
            ]),
          ),
        ),
      ],
    },
  )
  await run.setAbout({
    name: 'Name\u001b[31m \u202e<b>&amp;',
    tags: ['b', 'a', '😀'],
    notes: 'first\r\nsecond\u0000',
    archived: true,
    facts: {
      seed: 12345678901234567890n,
      minus: -(2n ** 80n),
      zero: -0,
      deep: { list: [1, null, { a: null }], float: 0.1 },
      ['__proto__']: { own: true },
    },
  })
}

/** Metadata with a field of a newer schema; a run without chains; and draws without any bytes. */
async function odd(backend: HttpBackend, url: string): Promise<void> {
  const known = encodeRunMeta({ variables: [{ name: 'x', dtype: 'float64' }] })
  const newer = new TextEncoder().encode('of a newer schema')
  const body = concatBytes([fieldHead(100, newer.length), newer, known])
  await fetch(`${url}/v1/runs/newer`, { method: 'PUT', headers: { 'Content-Type': PROTOBUF }, body })
  await appended(
    backend,
    { rid: 'sizeless', variables: [{ name: 'x', dtype: 'float64', shape: [0] }] },
    {
      0: [batch(250_001, { x: { dtype: 'float64', shape: [250_001, 0], data: new Float64Array() } })],
    },
  )
}

/** Stats of which one draw is large, or larger than any answer, and that most draws do not have. */
export async function registerWide(url: string): Promise<void> {
  const backend = new HttpBackend({ url })
  const wide = 1_000_000
  await appended(
    backend,
    {
      rid: 'wide-stats',
      variables: [{ name: 'x', dtype: 'float64' }],
      sampleStats: [
        { name: 'wide', dtype: 'float64', shape: [wide] },
        { name: 'never', dtype: 'float64', shape: [2 ** 31] },
        { name: 'words', dtype: 'str', shape: [3_000_000] },
        { name: 'lp', dtype: 'float64' },
      ],
    },
    { 0: [batch(2, { x: array([2]) }), batch(1, { x: array([1]) }, { wide: array([1, wide]), lp: array([1]) })] },
  )
}
