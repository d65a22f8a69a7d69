/** Requests whose content is wrong, too much, or does not go with the content that is there already: 409, 412, 413, 422. */
import { gzipSync } from 'node:zlib'
import { column, DRAWS, drawBatch, float64, iterations, META, PROTOBUF, runMeta } from './api.ts'
import { append, bytes, type Case, draws, get, LENGTH, meta } from './case.ts'

export const CONTENT_CASES: readonly Case[] = [
  { what: 'other metadata', code: 'run_conflict', request: meta({}, 'r') },
  { what: 'a gap', code: 'draw_gap', request: append({}, LENGTH + 1), fields: { length: LENGTH } },
  {
    what: 'the highest start',
    code: 'draw_gap',
    request: [
      'POST',
      DRAWS,
      {
        body: new Uint8Array([...drawBatch(iterations(LENGTH, 1)), 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
      },
    ],
    fields: { length: LENGTH },
  },
  {
    what: 'other draws',
    code: 'draw_conflict',
    request: append({ draws: iterations(3, 1).draws ?? [] }, 5),
    fields: { length: LENGTH },
  },
  { what: 'other stats', code: 'draw_conflict', request: append({ stats: [] }, 5), fields: { length: LENGTH } },
  {
    what: 'a chain',
    code: 'chain_exists',
    request: ['PUT', '/v1/runs/r/chains/0', { headers: { 'If-None-Match': '*' } }],
  },
  ...(
    [
      ['GET', '/v1/runs/r'],
      ['GET', '/v1/runs/r/chains'],
      ['GET', '/v1/runs/r/chains/0'],
      ['PUT', '/v1/runs/r/chains/0'],
      ['PUT', '/v1/runs/r/chains/1'],
      ['GET', DRAWS],
      ['HEAD', DRAWS],
    ] as const
  ).map(
    ([method, path]): Case => ({
      what: `${method} ${path}`,
      code: 'run_replaced',
      request: [method, path, { headers: { 'Mcb-Registration': 'another' } }],
    }),
  ),
  {
    what: 'an append',
    code: 'run_replaced',
    request: [
      'POST',
      DRAWS,
      { body: drawBatch(iterations(LENGTH, 1)), headers: { 'Mcb-Registration': 'another', 'Content-Type': PROTOBUF } },
    ],
  },

  { what: 'a rid that is not the path’s', code: 'invalid_run_meta', request: meta({ rid: 'other' }) },
  {
    what: 'a rid where the server chooses',
    code: 'invalid_run_meta',
    request: ['POST', '/v1/runs', { body: runMeta(META) }],
  },
  {
    what: 'two variables of one name',
    code: 'invalid_run_meta',
    request: meta({
      variables: [
        { name: 'x', dtype: 'int8' },
        { name: 'x', dtype: 'int8' },
      ],
    }),
    fields: { variable: 'x' },
  },
  {
    what: 'two stats of one name',
    code: 'invalid_run_meta',
    request: meta({
      sampleStats: [
        { name: 'q', dtype: 'int8' },
        { name: 'q', dtype: 'str' },
      ],
    }),
    fields: { variable: 'q' },
  },
  {
    what: 'no name',
    code: 'invalid_run_meta',
    request: meta({ variables: [{ dtype: 'int8' }] }),
    fields: { variable: '' },
  },
  {
    what: 'a long name',
    code: 'invalid_run_meta',
    request: meta({ variables: [{ name: 'μ'.repeat(257), dtype: 'int8' }] }),
    fields: { variable: 'μ'.repeat(257) },
  },
  {
    what: 'a dimension of -2',
    code: 'invalid_run_meta',
    request: meta({ variables: [{ name: 'x', dtype: 'int8', shape: [-2] }] }),
    fields: { variable: 'x' },
  },
  {
    what: 'a shape of more than 2^31 elements',
    code: 'invalid_run_meta',
    request: meta({ variables: [{ name: 'x', dtype: 'int8', shape: [2 ** 31, 2] }] }),
    fields: { variable: 'x' },
  },
  {
    what: 'NaN in a Struct',
    code: 'invalid_run_meta',
    request: meta({ attributes: { a: { structValue: { fields: { b: { numberValue: Number.NaN } } } } } }),
  },
  {
    what: 'the year 10000',
    code: 'invalid_run_meta',
    request: meta({ attributes: { a: { timestampValue: { seconds: 253_402_300_800 } } } }),
  },
  ...['complex128', 'float16', 'Float64', '<U5', 'datetime64[ns]', ''].map(
    (dtype): Case => ({
      what: `dtype "${dtype}"`,
      code: 'unsupported_dtype',
      request: meta({ variables: [{ name: 'x', dtype }] }),
      fields: { variable: 'x' },
    }),
  ),
  {
    what: 'a coordinate of Python objects',
    code: 'unsupported_dtype',
    request: meta({ coordinates: [{ name: 'day', values: { data: new Uint8Array(8), dtype: 'object', shape: [1] } }] }),
    fields: { variable: 'day' },
  },
  { what: 'a variable', code: 'unknown_variable', request: draws(column('y', 1)), fields: { variable: 'y' } },
  { what: 'a stat', code: 'unknown_variable', request: append({ stats: [column('x', 1)] }), fields: { variable: 'x' } },
  {
    what: 'a variable left out',
    code: 'missing_variable',
    request: append({ draws: [column('x', 1)] }),
    fields: { variable: 'k' },
  },
  {
    what: 'a variable twice',
    code: 'duplicate_variable',
    request: draws(column('x', 1), column('x', 1)),
    fields: { variable: 'x' },
  },
  {
    what: 'a stat twice',
    code: 'duplicate_variable',
    request: append({ stats: [column('lp', 1), column('lp', 1)] }),
    fields: { variable: 'lp' },
  },
  {
    what: 'another dtype',
    code: 'dtype_mismatch',
    request: draws({ name: 'x', dtype: 'float32', data: bytes(0, 0, 0, 0) }),
    fields: { variable: 'x', expected: 'float64', actual: 'float32' },
  },
  {
    what: 'no dtype',
    code: 'dtype_mismatch',
    request: draws({ name: 'x', data: float64(1) }),
    fields: { variable: 'x', expected: 'float64', actual: '' },
  },
  {
    what: 'too few elements',
    code: 'shape_mismatch',
    request: draws(column('x')),
    fields: { variable: 'x', expected: [1], actual: [0] },
  },
  {
    what: 'half an element',
    code: 'shape_mismatch',
    request: draws({ name: 'x', dtype: 'float64', data: bytes(1, 2, 3, 4) }),
    fields: { variable: 'x', expected: [1], actual: [0.5] },
  },
  {
    what: 'shapes of a fixed shape',
    code: 'shape_mismatch',
    request: draws({ ...column('x', 1), shapes: [0] }),
    fields: { variable: 'x' },
  },
  {
    what: 'strings of numbers',
    code: 'shape_mismatch',
    request: draws({ ...column('x', 1), strings: [''] }),
    fields: { variable: 'x' },
  },
  {
    what: 'data of strings',
    code: 'shape_mismatch',
    request: draws({ name: 's', dtype: 'str', strings: [''], data: bytes(0) }),
    fields: { variable: 's' },
  },
  {
    what: 'too many strings',
    code: 'shape_mismatch',
    request: draws({ name: 's', dtype: 'str', strings: ['', ''] }),
    fields: { variable: 's', expected: [1], actual: [2] },
  },
  {
    what: 'another number of dimensions',
    code: 'shape_mismatch',
    request: draws({ name: 'k', dtype: 'int16', shapes: [2, 1, 1], data: bytes(1, 0) }),
    fields: { variable: 'k', expected: [-1], actual: [1, 1] },
  },
  {
    what: 'no shapes',
    code: 'shape_mismatch',
    request: draws({ name: 'k', dtype: 'int16', data: bytes(1, 0) }),
    fields: { variable: 'k' },
  },
  {
    what: 'shapes of two draws',
    code: 'shape_mismatch',
    request: draws({ name: 'k', dtype: 'int16', shapes: [1, 0, 1, 0] }),
    fields: { variable: 'k' },
  },
  {
    what: 'shapes that end within one',
    code: 'shape_mismatch',
    request: draws({ name: 'k', dtype: 'int16', shapes: [1] }),
    fields: { variable: 'k' },
  },
  {
    what: 'data of another length than the shapes',
    code: 'shape_mismatch',
    request: draws({ name: 'k', dtype: 'int16', shapes: [1, 3], data: bytes(1, 0) }),
    fields: { variable: 'k', expected: [3], actual: [1] },
  },
]

/** Requests beyond `LIMITS`. */
export const SIZE_CASES: readonly Case[] = [
  {
    what: 'a large batch',
    code: 'payload_too_large',
    request: ['POST', DRAWS, { body: new Uint8Array(20_001) }],
    fields: { limit: 20_000 },
  },
  {
    what: 'a large RunMeta',
    code: 'payload_too_large',
    request: ['PUT', '/v1/runs/new', { body: new Uint8Array(10_001) }],
    fields: { limit: 10_000 },
  },
  {
    what: 'a batch that unfolds',
    code: 'payload_too_large',
    request: [
      'POST',
      DRAWS,
      {
        body: new Uint8Array(gzipSync(new Uint8Array(50_000_000))).slice(0, 19_000),
        headers: { 'Content-Encoding': 'gzip', 'Content-Type': PROTOBUF },
      },
    ],
    fields: { limit: 20_000 },
  },
  { what: 'too many iterations', code: 'payload_too_large', request: append({}, LENGTH, 51), fields: { limit: 50 } },
  {
    what: 'a large answer',
    code: 'payload_too_large',
    request: get('/v1/runs/large/chains/0/draws'),
    fields: { limit: 3000 },
  },
  {
    what: 'a large answer in JSON',
    code: 'payload_too_large',
    request: get('/v1/runs/large/chains/0/draws', { Accept: 'application/json' }),
    fields: { limit: 3000 },
  },
  { what: 'a large answer to HEAD', code: 'payload_too_large', request: ['HEAD', '/v1/runs/large/chains/0/draws'] },
  {
    what: 'too many variables',
    code: 'invalid_run_meta',
    request: meta({ variables: Array.from({ length: 21 }, (_, i) => ({ name: `${i}`, dtype: 'int8' })) }),
  },
  { what: 'too many chains', code: 'invalid_run_meta', request: ['PUT', '/v1/runs/full/chains/3'] },
]
