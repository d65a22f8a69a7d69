/** Parts of routes' descriptions in /openapi.json: bodies and answers. */
import {
  ARROW_TYPE,
  CSV_TYPE,
  EVENT_STREAM,
  JSON_TYPE,
  MERGE_PATCH,
  NETCDF,
  OCTETS,
  PROTOBUF,
  PROTOBUF_ALIAS,
} from '../../core/media-types.ts'
import { headers } from './described-headers.ts'
import { ref } from './schema-parts.ts'
import type { Content, Description, JsonSchema, RequestBody, ResponseObject } from './types.ts'

export function describe(
  tag: string,
  operationId: string,
  summary: string,
  more: Omit<Description, 'tag' | 'operationId' | 'summary'>,
): Description {
  return { tag, operationId, summary, ...more }
}

const binary = (description: string): { schema: JsonSchema } => ({
  schema: { type: 'string', format: 'binary', description },
})

/** Both media types of protobuf. */
function protobuf(message: string): Content {
  return { [PROTOBUF]: binary(message), [PROTOBUF_ALIAS]: binary(message) }
}

const META = 'mcbackend.RunMeta (protobufs/meta.proto)'
const DRAWS = 'mcbackend.DrawBatch (protobufs/draws.proto)'

/** JSON comes first, as in answers: generated clients have types for it, and take one media type for each body. */
export const runMetaBody: RequestBody = {
  description: `${META}, at most 16 MiB unless the server is set otherwise, or its canonical JSON, at most 8 MiB`,
  required: true,
  content: { [JSON_TYPE]: { schema: ref('RunMetaInput') }, ...protobuf(META) },
}
export const drawsBody: RequestBody = {
  description: `${DRAWS}, at most 64 MiB unless the server is set otherwise, or JSON, at most 8 MiB; 1,000,000 iterations`,
  required: true,
  content: { [JSON_TYPE]: { schema: ref('DrawInput') }, ...protobuf(DRAWS) },
}

export const patchBody: RequestBody = {
  description: 'At most 8 MiB',
  required: true,
  content: { [MERGE_PATCH]: { schema: ref('AboutPatch') }, [JSON_TYPE]: { schema: ref('AboutPatch') } },
}

export function jsonBody(schema: string): RequestBody {
  return { required: true, content: { [JSON_TYPE]: { schema: ref(schema) } } }
}

/** An answer in JSON. `more` are headers beside that of every answer. */
export function jsonResponse(description: string, schema: string, ...more: readonly string[]): ResponseObject {
  return { description, headers: headersWith(more), content: { [JSON_TYPE]: { schema: ref(schema) } } }
}

/** An answer in JSON that is compressed for those who ask for it. */
export function packedResponse(description: string, schema: string, ...more: readonly string[]): ResponseObject {
  return jsonResponse(description, schema, 'Content-Encoding', ...more)
}

export function emptyResponse(description: string, ...more: readonly string[]): ResponseObject {
  return { description, headers: headersWith(more) }
}

export function runMetaResponse(description: string, ...more: readonly string[]): ResponseObject {
  return {
    description,
    headers: headersWith(['ETag', 'Mcb-Registration', ...more]),
    content: { [JSON_TYPE]: { schema: ref('RunMetaDocument') }, ...protobuf(META) },
  }
}

export const drawsResponse: ResponseObject = {
  description: 'All columns come from one moment; protobuf unless Accept prefers JSON',
  headers: headersWith(['ETag', 'Content-Length']),
  content: { [JSON_TYPE]: { schema: ref('DrawDocument') }, ...protobuf(DRAWS) },
}

export const zarrResponse: ResponseObject = {
  description: 'A document, or the bytes of a chunk',
  headers: headersWith(['ETag', 'Content-Length', 'Content-Encoding']),
  content: { [JSON_TYPE]: { schema: ref('ZarrDocument') }, [OCTETS]: binary('A whole chunk') },
}

const NETCDF_HEADERS = ['ETag', 'Content-Length', 'Accept-Ranges', 'Content-Disposition', 'Content-Location'] as const

export const netcdfResponse: ResponseObject = {
  description: 'The whole file, of one moment',
  headers: headersWith(NETCDF_HEADERS),
  content: { [NETCDF]: binary('netCDF-4, which is HDF5') },
}
export const netcdfPart: ResponseObject = {
  description: 'The bytes of the file that Range asks for',
  headers: headersWith([...NETCDF_HEADERS, 'Content-Range']),
  content: { [NETCDF]: binary('A part of the file') },
}

const SUMMARY = `variable,index,label,mean,sd,ess_bulk,ess_tail,rhat\r
theta,3,theta[D],4.1,4.8,1890.4,1201.7,1.002\r
`

const SUMMARY_CSV = { schema: { type: 'string' }, example: SUMMARY } as const
const SUMMARY_ARROW = binary('The columns of the CSV')

export const summaryResponse: ResponseObject = {
  description: 'All rows, and all pages that follow, are of one moment; JSON unless Accept prefers a table',
  headers: headersWith(['Content-Encoding', 'Link']),
  content: { [JSON_TYPE]: { schema: ref('RunFigures') }, [CSV_TYPE]: SUMMARY_CSV, [ARROW_TYPE]: SUMMARY_ARROW },
}

export const summaryCsvResponse: ResponseObject = {
  description: 'A page of the summary',
  headers: headersWith(['Content-Encoding', 'Link']),
  content: { [CSV_TYPE]: SUMMARY_CSV },
}

export const summaryArrowResponse: ResponseObject = {
  description: 'A page of the summary',
  headers: headersWith(['Link']),
  content: { [ARROW_TYPE]: SUMMARY_ARROW },
}

const TABLE = `.chain,.iteration,.draw,mu,theta[1],theta[2]
1,1,1,4.25,-0.5,1.0
`

/** A table of draws, in one media type. */
export function tableResponse(type: string): ResponseObject {
  const isText = type.startsWith(CSV_TYPE)
  const schema: JsonSchema = isText ? { type: 'string' } : { type: 'string', format: 'binary' }
  return {
    description: 'The whole table, of one moment; it is made while it is read',
    headers: headersWith(['ETag', 'Content-Disposition', 'Mcb-Left-Out', ...(isText ? ['Content-Encoding'] : [])]),
    content: { [isText ? CSV_TYPE : type]: isText ? { schema, example: TABLE } : { schema } },
  }
}

export const npyResponse: ResponseObject = {
  description: 'An array of shape (draws, …), of one moment',
  headers: headersWith(['ETag', 'Content-Disposition', 'Content-Length']),
  content: { [OCTETS]: binary("NumPy's format") },
}

const STAN = `# model = eight_schools_model
# method = sample (Default)
#     num_samples = 1
#     num_warmup = 1000 (Default)
lp__,accept_stat__,mu,theta.1,theta.2
# Adaptation terminated
# Step size = 0.4
-7.3,0.98,4.1,2.2,3.9
# 
#  Elapsed Time: 0.1 seconds (Warm-up)
`

export const stanBody: RequestBody = {
  description: 'A file of CmdStan, RStan or PyStan 2, under any media type; a last line without its end is no draw',
  required: true,
  content: { [CSV_TYPE]: { schema: { type: 'string' }, example: STAN } },
}

export const stanResponse: ResponseObject = {
  description: 'All of one moment',
  headers: headersWith(['ETag', 'Content-Encoding']),
  content: { [CSV_TYPE]: { schema: { type: 'string' }, example: STAN } },
}

const EVENTS = `retry: 1000

event: state
id: 1-500-6f9619ff-8b86-d011-b42d-00cf4fc964ff
data: {"chains":[{"chain":0,"length":500}]}

id: 1-500-6f9619ff-8b86-d011-b42d-00cf4fc964ff
data: {"chain":0,"length":500}

`

const METRICS = `# HELP mcb_draws_appended_total Draws that were stored for the first time
# TYPE mcb_draws_appended_total counter
mcb_draws_appended_total 8000
`

export const eventsResponse: ResponseObject = {
  description:
    'First an event "state" with {"chains":[{"chain":0,"length":500}]} and, unnamed, {"chain":0,"length":500} for ' +
    'each chain; then {"chain":0,"length":1500} when a chain has grown, at most 10 a second for each; a comment ' +
    'every 15 s; an event "deleted", and the end, when the run is deleted. An end without it: connect again.',
  headers: headersWith([]),
  content: { [EVENT_STREAM]: { schema: { type: 'string' }, example: EVENTS } },
}

export const metricsResponse: ResponseObject = {
  description: "In Prometheus's text format",
  headers: headersWith([]),
  content: { 'text/plain': { schema: { type: 'string' }, example: METRICS } },
}

function headersWith(more: readonly string[]) {
  return headers('X-Request-Id', ...more)
}
