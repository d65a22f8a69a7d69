/** Schemas of traces in /openapi.json. */
import { int32, int64, list, object, ref, text } from './schema-parts.ts'
import type { JsonSchemas } from './types.ts'

export const TRACE_SCHEMAS: JsonSchemas = {
  Trace: object(
    {
      start: { ...int64, description: 'The first iteration of the first bucket' },
      stop: { ...int64, description: 'The iteration behind the last bucket' },
      buckets: int32,
      elements: list(ref('TracedElement')),
    },
    {
      examples: [
        {
          start: 0,
          stop: 4,
          buckets: 1,
          elements: [
            {
              variable: 'theta',
              index: [3],
              label: 'theta[D]',
              chains: [{ chain: 0, at: [0, 1, 2, 3], values: [4.1, 'NaN', 3.9, 4] }],
            },
          ],
        },
      ],
    },
  ),
  TracedElement: object({
    variable: { ...text, description: 'Name of the variable or sampler stat' },
    index: list(int64, { description: 'Index along each dimension, from 0' }),
    label: { ...text, description: 'The name with the labels of coordinates, or the index, in brackets' },
    chains: list(ref('TracedChain')),
  }),
  TracedChain: object({
    chain: ref('ChainNumber'),
    at: list(int64, { description: 'Iterations, rising' }),
    values: list(
      {},
      {
        description:
          'A number or boolean for each. Floats that JSON has not are "NaN", "Infinity" and "-Infinity"; integers beyond 2^53 ' +
          'are decimal strings.',
      },
    ),
  }),
}
