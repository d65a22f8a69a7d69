/** Parameters of traces, for /openapi.json. */
import { DEFAULT_BUCKETS, MAX_BUCKETS } from '../../core/diagnostics/buckets.ts'
import { bound, chains, columns, elements } from './parameters.ts'
import type { Parameter } from './types.ts'

export const traceParameters: readonly Parameter[] = [
  columns(
    'var',
    'Variables, in this order; without `var` and `stat`, all variables of numbers that have a fixed shape',
  ),
  columns('stat', 'Sampler stats'),
  { ...elements, description: `${elements.description}. A trace has at most 100 elements in all` },
  { ...chains, description: 'Numbers of chains, in this order; all of them when absent' },
  bound('start', "Start of Python's slice of the longest of the chains."),
  bound('stop', "Stop of Python's slice of the longest of the chains."),
  {
    name: 'buckets',
    in: 'query',
    description: 'Parts of equal length, within which at most five draws are kept of each chain',
    schema: { type: 'integer', format: 'int32', minimum: 1, maximum: MAX_BUCKETS, default: DEFAULT_BUCKETS },
  },
]
