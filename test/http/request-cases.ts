/** Requests that are wrong before their content is judged: 400, 404, 405, 406, 415. */
import { gzipSync } from 'node:zlib'
import { DRAWS, drawBatch, iterations, META, PROTOBUF, runMeta } from './api.ts'
import { append, bytes, type Case, get, LENGTH } from './case.ts'

const json = (text: string, headers = {}) => ({
  body: new TextEncoder().encode(text),
  headers: { 'Content-Type': 'application/json', ...headers },
})

const JSON_CASES: readonly Case[] = [
  ...[
    '',
    '{"start":10,"draws":{"x":[1],',
    '{"draws":{}}',
    '{"start":10,"draw":{}}',
    '{"start":10,"draws":{"x":[1],"k":[[]],"s":["\\ud800"]}}',
    '['.repeat(200),
  ].map(
    (text): Case => ({
      what: `draws ${text.slice(0, 40)}`,
      code: 'invalid_json',
      request: ['POST', DRAWS, json(text)],
    }),
  ),
  ...['', '[]', '{"variable":[]}', '{"rid":"a","rid":"a"}'].map(
    (text): Case => ({ what: `RunMeta ${text}`, code: 'invalid_json', request: ['PUT', '/v1/runs/new', json(text)] }),
  ),
  { what: 'RunMeta of no rid', code: 'invalid_json', request: ['POST', '/v1/runs', json('{"rid":1}')] },
  { what: 'no UTF-8', code: 'invalid_json', request: ['POST', '/v1/runs', { ...json(''), body: bytes(0x22, 0xff) }] },
  {
    what: 'a corrupt gzip of JSON',
    code: 'invalid_json',
    request: ['POST', '/v1/runs', json('{}', { 'Content-Encoding': 'gzip' })],
  },
  { what: 'a step in JSON', code: 'invalid_parameter', request: ['POST', DRAWS, json('{"start":10,"step":2}')] },
  { what: 'no iteration in JSON', code: 'empty_batch', request: ['POST', DRAWS, json('{"start":10}')] },
]

export const REQUEST_CASES: readonly Case[] = [
  {
    what: 'a truncated batch',
    code: 'invalid_protobuf',
    request: ['POST', DRAWS, { body: drawBatch(iterations(LENGTH, 1)).slice(0, -1) }],
  },
  {
    what: 'a truncated RunMeta',
    code: 'invalid_protobuf',
    request: ['PUT', '/v1/runs/new', { body: runMeta(META).slice(0, -1) }],
  },
  {
    what: 'a name that is no UTF-8',
    code: 'invalid_protobuf',
    request: ['POST', DRAWS, { body: bytes(0x1a, 3, 0x0a, 1, 0xff) }],
  },
  {
    what: 'a rid that is no UTF-8',
    code: 'invalid_protobuf',
    request: ['POST', '/v1/runs', { body: bytes(0x0a, 1, 0xff) }],
  },
  {
    what: 'a corrupt gzip',
    code: 'invalid_protobuf',
    request: [
      'POST',
      DRAWS,
      {
        body: new Uint8Array(gzipSync(drawBatch(iterations(LENGTH, 1))).subarray(0, 30)),
        headers: { 'Content-Encoding': 'gzip', 'Content-Type': PROTOBUF },
      },
    ],
  },
  ...JSON_CASES,
  ...[
    'start=x',
    'stop=1.5',
    'step=0',
    'step=-0',
    'start=',
    'start=1&start=1',
    'step=1e3',
    'stop=0x10',
    'start=%201',
    'start=--1',
  ].map((query): Case => ({ what: query, code: 'invalid_slice', request: get(`${DRAWS}?${query}`) })),
  ...['/v1/runs/a%20b', '/v1/runs/a%2Fb', '/v1/runs/%C3%A4', `/v1/runs/${'x'.repeat(129)}`, '/v1/runs/a:b'].map(
    (path): Case => ({ what: path.slice(0, 40), code: 'invalid_parameter', request: get(path) }),
  ),
  ...['00', '01', '-1', '2147483648', '1.0', 'x', '99999999999999999999', '+1', '0x1'].map(
    (chain): Case => ({
      what: `chain ${chain}`,
      code: 'invalid_parameter',
      request: ['PUT', `/v1/runs/r/chains/${chain}`],
    }),
  ),
  ...[
    'limit=0',
    'limit=1001',
    'limit=x',
    'limit=',
    'limit=1&limit=2',
    'limit=-1',
    'cursor=x',
    'cursor=',
    'cursor=-1',
    'cursor=1&cursor=2',
  ].map((query): Case => ({ what: query, code: 'invalid_parameter', request: get(`/v1/runs?${query}`) })),
  ...[1, -1, 2, -3, 2 ** 40].map(
    (step): Case => ({ what: `a written step ${step}`, code: 'invalid_parameter', request: append({ step }) }),
  ),
  {
    what: 'the lowest step',
    code: 'invalid_parameter',
    request: ['POST', DRAWS, { body: bytes(0x10, 1, 0x28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1) }],
  },
  { what: 'a batch of nothing', code: 'empty_batch', request: append({ count: 0 }) },
  { what: 'an empty body', code: 'empty_batch', request: ['POST', DRAWS, { body: bytes() }] },

  { what: 'a run', code: 'run_not_found', request: get('/v1/runs/none') },
  { what: 'the chains of a run', code: 'run_not_found', request: get('/v1/runs/none/chains') },
  { what: 'a chain of a run', code: 'run_not_found', request: ['PUT', '/v1/runs/none/chains/0'] },
  { what: 'the draws of a run', code: 'run_not_found', request: get('/v1/runs/none/chains/0/draws') },
  {
    what: 'an append to a run',
    code: 'run_not_found',
    request: ['POST', '/v1/runs/none/chains/0/draws', { body: drawBatch(iterations(0, 1)) }],
  },
  { what: 'deleting a run', code: 'run_not_found', request: ['DELETE', '/v1/runs/none'] },
  { what: 'a chain', code: 'chain_not_found', request: get('/v1/runs/r/chains/7') },
  { what: 'the draws of a chain', code: 'chain_not_found', request: get('/v1/runs/r/chains/7/draws') },
  {
    what: 'an append to a chain',
    code: 'chain_not_found',
    request: ['POST', '/v1/runs/r/chains/7/draws', { body: drawBatch(iterations(0, 1)) }],
  },
  {
    what: 'a variable to read',
    code: 'unknown_variable',
    status: 404,
    request: get(`${DRAWS}?var=y`),
    fields: { variable: 'y' },
  },
  {
    what: 'a stat named as a variable',
    code: 'unknown_variable',
    status: 404,
    request: get(`${DRAWS}?var=lp`),
    fields: { variable: 'lp' },
  },
  {
    what: 'a stat to read',
    code: 'unknown_variable',
    status: 404,
    request: get(`${DRAWS}?var=x&stat=x`),
    fields: { variable: 'x' },
  },
  {
    what: 'an empty name',
    code: 'unknown_variable',
    status: 404,
    request: get(`${DRAWS}?var=`),
    fields: { variable: '' },
  },
  ...[
    '/',
    '/v1',
    '/v1/',
    '/v1/runs/',
    '/v1/runs/r/',
    '/v1/runs/r/x',
    '/v1/runs/r/chains/0/draws/1',
    '/v2/runs',
    '/healthz/',
  ].map((path): Case => ({ what: path, code: 'not_found', request: get(path) })),
  ...(
    [
      ['DELETE', '/v1/runs', 'GET, HEAD, POST'],
      ['PATCH', '/v1/runs/r', 'GET, HEAD, PUT, DELETE'],
      ['POST', '/v1/runs/r', 'GET, HEAD, PUT, DELETE'],
      ['PUT', '/v1/runs/r/chains', 'GET, HEAD'],
      ['DELETE', '/v1/runs/r/chains/0', 'GET, HEAD, PUT'],
      ['PUT', DRAWS, 'GET, HEAD, POST'],
      ['OPTIONS', DRAWS, 'GET, HEAD, POST'],
      ['POST', '/healthz', 'GET, HEAD'],
      ['POST', '/openapi.json', 'GET, HEAD'],
      ['DELETE', '/docs', 'GET, HEAD'],
    ] as const
  ).map(
    ([method, path, allow]): Case => ({
      what: `${method} ${path}, not ${allow}`,
      code: 'method_not_allowed',
      request: [method, path],
    }),
  ),
  { what: 'RunMeta as text', code: 'not_acceptable', request: get('/v1/runs/r', { Accept: 'text/html' }) },
  { what: 'draws as text', code: 'not_acceptable', request: get(DRAWS, { Accept: 'application/json;q=0, text/*' }) },
  {
    what: 'a new run as text',
    code: 'not_acceptable',
    request: ['POST', '/v1/runs', { body: runMeta({ ...META, rid: '' }), headers: { Accept: 'text/html' } }],
  },
  ...(
    ['application/merge-patch+json', 'application/octet-stream', 'text/plain', 'application/x-protobuf-x', ''] as const
  ).flatMap((type): Case[] => [
    {
      what: `draws as "${type}"`,
      code: 'unsupported_media_type',
      request: ['POST', DRAWS, { body: drawBatch(iterations(LENGTH, 1)), headers: { 'Content-Type': type } }],
    },
    {
      what: `RunMeta as "${type}"`,
      code: 'unsupported_media_type',
      request: ['PUT', '/v1/runs/new', { body: runMeta({ rid: '' }), headers: { 'Content-Type': type } }],
    },
  ]),
  { what: 'no body and no type', code: 'unsupported_media_type', request: ['PUT', '/v1/runs/new'] },
  ...['br', 'deflate', 'zstd', 'gzip, gzip', 'x'].map(
    (encoding): Case => ({
      what: `encoding ${encoding}`,
      code: 'unsupported_media_type',
      request: [
        'POST',
        DRAWS,
        { body: drawBatch(iterations(LENGTH, 1)), headers: { 'Content-Encoding': encoding, 'Content-Type': PROTOBUF } },
      ],
    }),
  ),
]
