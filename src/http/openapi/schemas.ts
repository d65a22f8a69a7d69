/**
 * Schemas of runs, chains and draws in /openapi.json. A name is no other one with New, Get, Api or Request around it, which
 * generated clients use for their own.
 */
import { STATUSES } from '../../core/diagnostics/checks/check.ts'
import { ITEM_SIZE } from '../../core/draws/dtype.ts'
import { CHECK_SCHEMAS } from './check-schemas.ts'
import { MANAGEMENT_SCHEMAS } from './management-schemas.ts'
import { body, flag, int32, int64, list, object, partial, ref, text, textOrNull, time } from './schema-parts.ts'
import { SUMMARY_SCHEMAS } from './summary-schemas.ts'
import { TRACE_SCHEMAS } from './trace-schemas.ts'
import type { JsonSchema, JsonSchemas } from './types.ts'

const CREATED = '2026-11-25T21:09:05.075Z'
const UPDATED = '2026-11-25T21:14:42.310Z'

const DIAGNOSTICS = {
  draws: 1000,
  rhat: 1.02,
  essBulk: 310.2,
  essTail: 288.1,
  divergences: 3,
  bfmi: 0.71,
  status: 'fail',
  at: UPDATED,
}

const numberOrNull: JsonSchema = { type: ['number', 'null'] }
const int64Texts = list({ type: 'string', format: 'int64', pattern: '^-?[0-9]+$' })

const NAMES: JsonSchemas = {
  RunId: {
    type: 'string',
    description: 'Characters of A-Z a-z 0-9 . _ ~ -, but not . and not ..',
    minLength: 1,
    maxLength: 128,
    pattern: '^(\\.{0,2}[A-Za-z0-9_~-]|\\.{3})[A-Za-z0-9._~-]*$',
  },
  ChainNumber: { type: 'integer', format: 'int32', minimum: 0, maximum: 2_147_483_647 },
  Cursor: { type: 'string', description: 'Opaque', pattern: '^[1-9][0-9]{0,15}$' },
}

const LINE: JsonSchemas = {
  rid: ref('RunId'),
  createdAt: time,
  updatedAt: { ...time, description: 'Moves with every chain and append; may lag by 2 s' },
  variables: int32,
  sampleStats: int32,
  chains: { ...int32, description: 'May lag by 2 s' },
  draws: { ...int64, description: "Sum of the chains' lengths; may lag by 2 s" },
  name: textOrNull,
  tags: list(text),
  archived: flag,
  state: {
    type: 'string',
    enum: ['done', 'live', 'silent'],
    description: 'done by its facts or its lengths, live when it was written within a minute, else silent',
  },
  diagnostics: {
    oneOf: [ref('RunDiagnostics'), { type: 'null' }],
    description: 'As they were last computed; null where they never were',
  },
}

const ANSWERS: JsonSchemas = {
  HealthStatus: object(
    { status: { type: 'string', enum: ['ok'] }, version: { ...text, description: 'Of this software' } },
    { examples: [{ status: 'ok', version: '0.1.0' }] },
  ),
  Readiness: object({ status: { type: 'string', enum: ['ready'] } }, { examples: [{ status: 'ready' }] }),
  RunPage: {
    ...object({ runs: list(ref('RunLine')) }),
    properties: {
      runs: list(ref('RunLine')),
      nextCursor: { ...ref('Cursor'), description: 'For the next page; absent on the last one' },
    },
    examples: [
      {
        runs: [
          {
            rid: 'eight-schools',
            createdAt: CREATED,
            updatedAt: UPDATED,
            variables: 3,
            sampleStats: 1,
            chains: 4,
            draws: 8000,
            name: 'Eight schools, non-centred',
            tags: ['paper'],
            archived: false,
            state: 'live',
            diagnostics: DIAGNOSTICS,
          },
        ],
        nextCursor: '17',
      },
    ],
  },
  RunDiagnostics: object(
    {
      draws: { ...int32, description: 'Of each chain, behind warmup' },
      rhat: { ...numberOrNull, description: 'The greatest of a scalar' },
      essBulk: { ...numberOrNull, description: 'The least of a scalar' },
      essTail: { ...numberOrNull, description: 'The least of a scalar' },
      divergences: { type: ['integer', 'null'], description: 'Divergent draws of all chains' },
      bfmi: { ...numberOrNull, description: 'The least E-BFMI of a chain' },
      status: {
        type: ['string', 'null'],
        enum: [...STATUSES, null],
        description: 'Of all checks together; null where they were not computed',
      },
      at: { ...time, description: 'When they were asked for' },
    },
    {
      description: 'The worst figures of a run; null stands for what nothing tells, or what is not finite',
      examples: [DIAGNOSTICS],
    },
  ),
  RunLine: object(LINE, { description: 'A run in the list of runs' }),
  RunAbout: object(
    {
      ...LINE,
      notes: { ...textOrNull, description: 'At most 64 KiB' },
      facts: {
        type: 'object',
        additionalProperties: true,
        description:
          'Known late, or different between two starts of one script; `expected` and `finishedAt` make the state, and ' +
          '`environment` is not shown to keys of shares',
      },
      attributes: { type: 'object', additionalProperties: true, description: "The metadata's, as plain JSON" },
    },
    { description: 'All that is known of a run beside its draws' },
  ),
  AboutPatch: body(
    [],
    {
      name: { type: ['string', 'null'], maxLength: 200 },
      tags: {
        type: ['array', 'null'],
        maxItems: 50,
        items: { type: 'string', minLength: 1, maxLength: 64 },
      },
      notes: { type: ['string', 'null'], description: 'At most 64 KiB' },
      archived: { type: ['boolean', 'null'] },
      facts: {
        type: ['object', 'null'],
        additionalProperties: true,
        description: 'Merged at any depth, null removes a member; at most 1 MiB as JSON',
      },
    },
    {
      examples: [
        { name: 'Eight schools, non-centred', tags: ['paper'], facts: { expected: { draws: 1000, warmup: 1000 } } },
      ],
    },
  ),
  ChainList: object(
    { chains: list(ref('ChainState')) },
    { examples: [{ chains: [{ chain: 0, length: 500, updatedAt: UPDATED }] }] },
  ),
  ChainState: object(
    { chain: ref('ChainNumber'), length: { ...int64, description: 'Iterations that are durable' }, updatedAt: time },
    { examples: [{ chain: 0, length: 500, updatedAt: UPDATED }] },
  ),
  StreamResult: object(
    {
      chain: ref('ChainNumber'),
      length: { ...int64, description: 'Length of the chain' },
      complete: { type: 'boolean', description: 'The file has ended as its settings tell' },
    },
    { examples: [{ chain: 0, length: 1000, complete: true }] },
  ),
  AppendResult: object(
    { chain: ref('ChainNumber'), length: { ...int64, description: 'Length of the chain with this batch' } },
    { examples: [{ chain: 0, length: 1500 }] },
  ),
}

const nested: JsonSchema = {
  type: 'object',
  additionalProperties: list({}),
  description:
    'For each name one element a draw: a number, string or boolean, or nested arrays of them. Floats that JSON has not are ' +
    '"NaN", "Infinity" and "-Infinity"; integers beyond 2^53 are decimal strings.',
}

const columns: JsonSchema = {
  ...nested,
  description:
    'For each name a list with one element a draw, as answers have them. Integers beyond 2^53 are decimal strings.',
}

const runMetaFields: JsonSchemas = {
  rid: ref('RunId'),
  variables: list(ref('VariableDocument')),
  coordinates: list(ref('CoordinateDocument')),
  attributes: { type: 'object', additionalProperties: ref('AttributeDocument') },
  sampleStats: list(ref('VariableDocument')),
  data: list(ref('DataDocument')),
}

const EIGHT_SCHOOLS = {
  variables: [{ name: 'theta', dtype: 'float64', shape: ['8'], dims: ['school'] }],
  attributes: { model: { stringValue: 'non-centred' } },
  sampleStats: [{ name: 'tune', dtype: 'bool' }],
}

const DOCUMENTS: JsonSchemas = {
  DrawInput: body(
    ['start'],
    {
      start: { ...int64, description: 'Index of the first iteration; a decimal string is taken as well' },
      count: { ...int32, minimum: 1, description: 'Iterations of every column; may be left out' },
      step: { type: 'integer', format: 'int32', enum: [0, 1], description: 'As answers have it; may be left out' },
      draws: { ...columns, description: `Every variable. ${columns.description}` },
      stats: { ...columns, description: `Sampler stats, or some of them. ${columns.description}` },
    },
    {
      description: 'A DrawBatch as JSON: what an answer to a read says is taken as it is',
      examples: [
        {
          start: 0,
          draws: {
            theta: [
              [1, 2],
              ['NaN', 4],
            ],
          },
          stats: { lp: [-1.5, -1.4] },
        },
      ],
    },
  ),
  RunMetaInput: body([], runMetaFields, {
    description:
      'mcbackend.RunMeta as proto3 JSON; names of fields in snake case, null for a default, and numbers for strings of int64 ' +
      'are taken as well',
    examples: [EIGHT_SCHOOLS],
  }),
  DrawDocument: object(
    {
      start: { ...int64, description: 'Index of the first iteration; 0 when there is none' },
      count: { ...int32, description: 'Iterations of every column' },
      step: { type: 'integer', format: 'int64', description: 'From one iteration to the next; never 0' },
      draws: nested,
      stats: nested,
    },
    {
      description: 'A DrawBatch as JSON, for people and plain scripts',
      examples: [
        {
          start: 0,
          count: 2,
          step: 1,
          draws: {
            theta: [
              [1, 2],
              ['NaN', 4],
            ],
          },
          stats: { lp: [-1.5, -1.4] },
        },
      ],
    },
  ),
  RunMetaDocument: {
    ...partial(runMetaFields),
    required: ['rid'],
    description: 'mcbackend.RunMeta as canonical proto3 JSON; what has its default is left out',
    examples: [{ rid: 'eight-schools', ...EIGHT_SCHOOLS }],
  },
  ZarrDocument: {
    type: 'object',
    description: 'The zarr.json of a group or an array, as the core specification of Zarr v3 has it',
    properties: {
      zarr_format: { type: 'integer', const: 3 },
      node_type: { type: 'string', enum: ['group', 'array'] },
      attributes: { type: 'object' },
    },
    required: ['zarr_format', 'node_type', 'attributes'],
  },
  VariableDocument: partial(
    {
      name: text,
      dtype: {
        type: 'string',
        enum: [...Object.keys(ITEM_SIZE), 'str'],
      },
      shape: { ...int64Texts, description: 'One number a dimension; -1 where it varies from draw to draw' },
      dims: list(text),
      isDeterministic: flag,
      undefinedNdim: { ...flag, description: 'Whether the number of dimensions varies' },
    },
    { description: 'A variable or sampler stat' },
  ),
  CoordinateDocument: partial({ name: text, values: ref('ArrayDocument') }),
  DataDocument: partial({ name: text, value: ref('ArrayDocument'), dims: list(text), isObserved: flag }),
  ArrayDocument: partial(
    {
      data: { type: 'string', contentEncoding: 'base64', description: 'Elements in C order of shape, little-endian' },
      dtype: text,
      shape: int64Texts,
      strides: int64Texts,
      order: text,
    },
    { description: 'npproto.ndarray' },
  ),
  AttributeDocument: partial(
    {
      nullValue: { description: 'null' },
      numberValue: { oneOf: [{ type: 'number' }, { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] }] },
      stringValue: text,
      boolValue: flag,
      structValue: { type: 'object', additionalProperties: true },
      listValue: list({}),
      timestampValue: { type: 'string', format: 'date-time' },
      durationValue: { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]+)?s$' },
      ndarrayValue: ref('ArrayDocument'),
    },
    { maxProperties: 1, description: 'mcbackend.ExtendedValue: one of its kinds' },
  ),
}

export const SCHEMAS: JsonSchemas = {
  ...NAMES,
  ...ANSWERS,
  ...DOCUMENTS,
  ...SUMMARY_SCHEMAS,
  ...CHECK_SCHEMAS,
  ...TRACE_SCHEMAS,
  ...MANAGEMENT_SCHEMAS,
}
