/** Schemas of checks in /openapi.json. */
import { CHECKS, STATUSES } from '../../core/diagnostics/checks/check.ts'
import { flag, int64, list, object, partial, ref, text } from './schema-parts.ts'
import type { JsonSchema, JsonSchemas } from './types.ts'

const status: JsonSchema = { type: 'string', enum: STATUSES }

const required = object(
  {
    check: { type: 'string', enum: CHECKS },
    status,
    message: { ...text, description: 'With the numbers, and the source of each threshold' },
    advice: { ...text, description: 'Empty where there is nothing to do' },
  },
  { description: 'One finding' },
)

const checks = object(
  {
    rid: ref('RunId'),
    registration: text,
    draws: { ...int64, description: 'Draws of each chain that is judged, without warmup' },
    status: { ...status, description: 'The worst of all checks; unknown counts as ok, unless all are' },
    checks: list(ref('Check')),
  },
  {
    examples: [
      {
        rid: 'eight-schools',
        registration: '6f9619ff-8b86-d011-b42d-00cf4fc964ff',
        draws: 1000,
        status: 'fail',
        checks: [
          {
            check: 'divergences',
            status: 'fail',
            message: '14 of 4000 draws diverged (0.35 %); they gather at small tau',
            advice: 'Any divergence may bias the estimates: reparameterise the model where tau is small',
            chains: [{ chain: 0, value: 9 }],
            worst: [{ label: 'tau', value: 0.97, at: 'small' }],
          },
        ],
      },
    ],
  },
)

export const CHECK_SCHEMAS: JsonSchemas = {
  Check: {
    ...required,
    properties: {
      ...required.properties,
      chains: list(object({ chain: ref('ChainNumber'), value: { type: 'number' } }), {
        description: 'Of each chain: draws, divergences, E-BFMI, R-hat without it, or scalars that are concerned',
      }),
      worst: list(
        {
          ...partial({
            label: text,
            value: { type: ['number', 'null'], description: 'Null for one that is infinite' },
            at: { type: 'string', enum: ['small', 'large'], description: 'The side on which divergences are' },
          }),
          required: ['label', 'value'],
        },
        { description: 'At most five scalars, the worst first' },
      ),
    },
  },
  RunChecks: {
    ...checks,
    properties: {
      ...checks.properties,
      complete: { ...flag, description: 'False where numbers are pending; absent otherwise' },
      progress: { type: 'number', minimum: 0, maximum: 1, description: 'Share that is done; absent when all is' },
    },
  },
}
