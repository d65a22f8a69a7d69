/** Schemas of diagnostics in /openapi.json. */
import { COLUMNS } from '../../core/diagnostics/summary-columns.ts'
import { WARMUP_CHOICES } from '../../core/summary/question.ts'
import { flag, int64, list, object, partial, ref, text } from './schema-parts.ts'
import type { JsonSchema, JsonSchemas } from './types.ts'

const figure: JsonSchema = { type: ['number', 'null'] }

const ROW: JsonSchema = {
  ...object(
    {
      variable: text,
      index: list(int64, { description: 'Along each axis, from 0; empty for a scalar' }),
      label: { ...text, description: 'The name with labels of the coordinates' },
    },
    { description: 'One scalar; its columns are those that were asked for' },
  ),
  properties: {
    variable: text,
    index: list(int64, { description: 'Along each axis, from 0; empty for a scalar' }),
    label: { ...text, description: 'The name with labels of the coordinates' },
    ...Object.fromEntries(COLUMNS.map((column) => [column, figure])),
    reasons: {
      type: 'object',
      description: 'By column, why there is no number',
      additionalProperties: { type: 'string', enum: ['constant', 'too_few', 'nan', 'infinite', 'pending'] },
    },
  },
}

const required = object({
  rid: ref('RunId'),
  registration: text,
  convention: { type: 'string', enum: ['posterior', 'arviz'] },
  ci: object({ kind: { type: 'string', enum: ['eti', 'hdi'] }, prob: { type: 'number' } }),
  warmup: { type: 'string', enum: WARMUP_CHOICES },
  complete: { ...flag, description: 'False where a figure is pending' },
  chains: list(
    object({
      chain: ref('ChainNumber'),
      draws: { ...int64, description: 'By the choice of warmup' },
      warmup: { ...int64, description: 'Warmup draws of the chain' },
    }),
  ),
  leftOut: list(
    partial({
      chain: ref('ChainNumber'),
      variable: text,
      reason: { type: 'string', enum: ['no_draws', 'short', 'ragged', 'strings'] },
    }),
    { description: 'Chains and variables that are left out' },
  ),
  draws: { ...int64, description: 'The first draws of each chain that are used: the least number that one has' },
  columns: list({ type: 'string', enum: COLUMNS }),
  rows: list(ref('ScalarFigures')),
})

export const SUMMARY_SCHEMAS: JsonSchemas = {
  ScalarFigures: ROW,
  RunFigures: {
    ...required,
    properties: {
      ...required.properties,
      progress: { type: 'number', minimum: 0, maximum: 1, description: 'Share that is done; absent when all is' },
      nextCursor: { ...text, description: 'For the next page; absent on the last one' },
    },
    examples: [
      {
        rid: 'eight-schools',
        registration: '6f9619ff-8b86-d011-b42d-00cf4fc964ff',
        convention: 'posterior',
        ci: { kind: 'eti', prob: 0.89 },
        warmup: 'exclude',
        complete: true,
        chains: [{ chain: 0, draws: 1000, warmup: 1000 }],
        leftOut: [],
        draws: 1000,
        columns: ['mean', 'rhat'],
        rows: [
          { variable: 'theta', index: [3], label: 'theta[D]', mean: 4.1, rhat: 1.002 },
          { variable: 'k', index: [], label: 'k', mean: 3, rhat: null, reasons: { rhat: 'constant' } },
        ],
      },
    ],
  },
}
