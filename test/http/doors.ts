/** Requests to the doors that read, of which most are wrong in some way. */
import fc from 'fast-check'

const ascii = fc.string({
  unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)),
  maxLength: 24,
})
/** A number as some client might write it. */
const number = fc.oneof(
  fc.integer({ min: -2, max: 5000 }).map(String),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc.constantFrom('', '-', '0x10', '1e3', '00', '+1', '1.5', 'NaN', '٣', '9'.repeat(400)),
)

const segment = fc.oneof(
  fc.constantFrom(
    'zarr.json',
    'posterior',
    'sample_stats',
    'observed_data',
    'x',
    's',
    'lp',
    'chain',
    'draw',
    'c',
    '0',
    '1',
  ),
  fc.constantFrom(
    '..',
    '.',
    '%2e%2e',
    '%2F',
    '%00',
    '%ff',
    '%',
    '%E0%80',
    '.zattrs',
    '.zgroup',
    '__proto__',
    'constructor',
    '',
  ),
  number,
  ascii.map(encodeURIComponent),
  fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => encodeURIComponent(text.toWellFormed())),
)
const path = fc.array(segment, { minLength: 1, maxLength: 8 }).map((segments) => segments.join('/'))

const pair = fc.tuple(number, number).map(([chain, length]) => `${chain}:${length}`)
const lengths = fc.oneof(
  fc.constantFrom('0:10', '0:3', '0:10,1:4', '1:4,0:10', '0:11', '0:10,', '0:10,0:10', ':', ','),
  fc.array(pair, { minLength: 1, maxLength: 4 }).map((pairs) => pairs.join()),
  ascii.map(encodeURIComponent),
)

const parameter = fc.constantFrom(
  ...[
    'var',
    'stat',
    'chain',
    'names',
    'warmup',
    'start',
    'stop',
    'step',
    'elem',
    'limit',
    'cursor',
    'buckets',
    'q',
    '',
  ],
)
const value = fc.oneof(
  number,
  fc.constantFrom(
    'x',
    'k',
    's',
    'lp',
    'label',
    'index',
    'include',
    'only',
    '0,1',
    '0:3',
    '3:0',
    ':',
    '%',
    '%ff',
    '%00',
  ),
  ascii.map(encodeURIComponent),
)
const query = fc
  .array(fc.tuple(parameter, value), { maxLength: 4 })
  .map((pairs) => (pairs.length === 0 ? '' : `?${pairs.map(([name, text]) => `${name}=${text}`).join('&')}`))

const DOORS = ['data.nc', 'draws.csv', 'draws.arrows', 'chains/0/stan.csv', 'chains/0/draws.npy', 'chains/1/draws.npy']
const RUN = '/v1/runs/r'

/** Path and query of a request for the run `r`, or for the list of runs. */
export const targets = fc.oneof(
  fc.tuple(fc.constantFrom('data.zarr', 'ragged/data.zarr'), path).map(([door, of]) => `${RUN}/${door}/${of}`),
  fc.tuple(lengths, query).map(([at, more]) => `${RUN}/at/${at}/data.nc${more}`),
  fc.tuple(fc.constantFrom(...DOORS), query).map(([door, more]) => `${RUN}/${door}${more}`),
  fc.tuple(number, query).map(([chain, more]) => `${RUN}/chains/${encodeURIComponent(chain)}/stan.csv${more}`),
  fc
    .tuple(fc.constantFrom('summary', 'checks', 'trace', 'events/none'), query)
    .map(([of, more]) => `${RUN}/${of}${more}`),
  query.map((more) => `/v1/runs${more}`),
)

const range = fc.oneof(
  fc.tuple(number, number).map(([from, to]) => `bytes=${from}-${to}`),
  fc
    .array(fc.tuple(number, number), { maxLength: 5 })
    .map((all) => `bytes=${all.map((pair) => pair.join('-')).join()}`),
  fc.constantFrom('bytes=0-0', 'bytes=-1', 'bytes=5-', 'bytes=-0', 'bytes=3-1', 'bytes = 0-1', 'items=0-1', 'bytes='),
  ascii,
)
const tag = fc.oneof(
  fc.constantFrom('*', '"', 'W/"a"', '"a", "b"', '"a', ',,,', 'Sun, 29 Nov 2026 12:00:00 GMT'),
  ascii,
)
const header = fc.oneof(
  range.map((text) => ['Range', text] as const),
  fc.tuple(fc.constantFrom('If-Match', 'If-None-Match', 'If-Range', 'If-Modified-Since', 'Mcb-Registration'), tag),
  fc.tuple(
    fc.constantFrom('Accept', 'Accept-Encoding'),
    fc.oneof(fc.constantFrom('gzip', 'gzip;q=0, *', 'text/csv', '*/*;q=nan', 'identity;q=0'), ascii),
  ),
)
/** Headers of a request, as characters that a header may have. */
export const headers = fc
  .array(header, { maxLength: 4 })
  .map((all): { readonly [name: string]: string } =>
    Object.fromEntries(all.map(([name, text]) => [name, text.replace(/[^ -~]/g, '?').trim()])),
  )
