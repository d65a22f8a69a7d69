/** Headers of requests and answers, for /openapi.json. */
import type { Header, Parameter, Reference } from './types.ts'

/** Headers that answers may carry, by name. */
export const HEADERS: Readonly<Record<string, Header>> = {
  'X-Request-Id': {
    description: "Names this request in the server's log; the request's own X-Request-Id, when it had a plain one",
    required: true,
    schema: { type: 'string', maxLength: 255 },
    example: '2c55e1f0-3f6b-4b7e-9a0e-7d9f3f0c1a52',
  },
  'Mcb-Registration': {
    description:
      'Identity of this registration of the run, opaque; another when the run is deleted and registered again',
    required: true,
    schema: { type: 'string', minLength: 1 },
    example: '6f9619ff-8b86-d011-b42d-00cf4fc964ff',
  },
  Location: {
    description: 'Path of what was made',
    required: true,
    schema: { type: 'string', format: 'uri-reference' },
    example: '/v1/runs/eight-schools',
  },
  ETag: {
    description:
      'Names what was answered, weakly where it is compressed; send it in If-None-Match to ask for what is new',
    required: true,
    schema: { type: 'string', pattern: '^(W/)?"[!-~]+"$' },
    example: '"9a3c0d5be2f14f6a8f0e7b6c5d4e3f2a"',
  },
  'Content-Encoding': {
    description: 'Present when the answer is compressed, as Accept-Encoding asked for',
    schema: { type: 'string', enum: ['gzip', 'deflate'] },
  },
  'Content-Length': {
    description: 'Bytes of the body that GET would have; absent where the answer would have to be made to know',
    schema: { type: 'integer', format: 'int64', minimum: 0 },
  },
  'Accept-Ranges': { description: 'Range works here', schema: { type: 'string', enum: ['bytes'] } },
  'Content-Range': {
    description: 'The part of the whole that is answered',
    required: true,
    schema: { type: 'string', pattern: '^bytes [0-9]+-[0-9]+/[0-9]+$' },
    example: 'bytes 0-1023/146515',
  },
  'Content-Location': {
    description:
      'Where these bytes stay, whatever becomes of the run; absent where they depend on facts, which may change',
    schema: { type: 'string', format: 'uri-reference' },
    example: '/v1/runs/eight-schools/at/0:1500,1:1490/data.nc',
  },
  'Content-Disposition': {
    description: 'A name for the file, for those who save it',
    required: true,
    schema: { type: 'string' },
    example: 'attachment; filename="eight-schools.csv"',
  },
  'Mcb-Left-Out': {
    description:
      'Variables without columns, since their shape varies: names, percent-encoded, with commas between; `...` at the end stands for ' +
      'more. Absent where there are none',
    schema: { type: 'string' },
    example: 'k, log%20prior',
  },
  Link: {
    description: 'With rel="next", the way to the next page; absent on the last one',
    schema: { type: 'string' },
    example: '</v1/runs/eight-schools/summary?cursor=eyJy>; rel="next"',
  },
  'Retry-After': {
    description: 'Seconds after which a retry makes sense',
    required: true,
    schema: { type: 'integer', minimum: 0 },
    example: 1,
  },
  'WWW-Authenticate': {
    description: 'How to send a key',
    required: true,
    schema: { type: 'string' },
    example: 'Bearer realm="mcbackend"',
  },
  'RateLimit-Policy': {
    description: "The tenant's limit of requests a minute, where it has one and the key is not for one run alone",
    schema: { type: 'string' },
    example: '"tenant";q=600;w=60',
  },
  RateLimit: {
    description: 'Requests that are left, and seconds until there are more',
    schema: { type: 'string' },
    example: '"tenant";r=599;t=1',
  },
}

/** References to headers of answers. */
export function headers(...names: readonly string[]): Record<string, Reference> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

const ETAGS = 'ETags of what the client has, or *; 304 when one of them is still true'

/** `Mcb-Registration` of a request, with the status for a wrong one. */
export const registration: Parameter = {
  name: 'Mcb-Registration',
  in: 'header',
  description: 'The registration that is meant; 412 run_replaced when it is not the present one',
  schema: { type: 'string' },
}
export const ifNoneMatch: Parameter = {
  name: 'If-None-Match',
  in: 'header',
  description: ETAGS,
  schema: { type: 'string' },
}
export const ifMatch: Parameter = {
  name: 'If-Match',
  in: 'header',
  description: 'ETag of what the change is meant for, or *; 412 about_changed when it is not the present one',
  schema: { type: 'string' },
}
export const onlyNew: Parameter = {
  name: 'If-None-Match',
  in: 'header',
  description: '`*`: only make it; 412 chain_exists when it exists. Anything else has no effect.',
  schema: { type: 'string' },
  example: '*',
}
export const prefer: Parameter = {
  name: 'Prefer',
  in: 'header',
  description: 'wait=N: seconds that the answer may take, at most 60 (RFC 7240); 10 without it',
  schema: { type: 'string' },
  example: 'wait=10',
}
export const lastEventId: Parameter = {
  name: 'Last-Event-ID',
  in: 'header',
  description: 'id of the last event of the connection before; when nothing has changed since, no state is sent',
  schema: { type: 'string' },
}
export const contentEncoding: Parameter = {
  name: 'Content-Encoding',
  in: 'header',
  description: 'How the body is compressed; limits of size count decoded bytes',
  schema: { type: 'string', enum: ['gzip', 'identity'] },
}
