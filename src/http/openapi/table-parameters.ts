/** Parameters of tables and arrays of draws, for /openapi.json. */
import { NAME_CHOICES } from '../../core/formats/tables/names.ts'
import { WARMUP_CHOICES } from '../../core/summary/question.ts'
import { bound, chains, choice, columns, sliceParameters } from './parameters.ts'
import type { Parameter } from './types.ts'

export const tableParameters: readonly Parameter[] = [
  columns('var', 'Variables, in this order; without `var` and `stat`, all variables that have a fixed shape'),
  columns('stat', 'Sampler stats, behind the variables'),
  { ...chains, description: 'Numbers of chains, in this order; all of them when absent' },
  choice('names', 'Elements by their index, from 1, or by the labels of coordinates', NAME_CHOICES),
  choice('warmup', 'Warmup draws: left out, there as well, or alone', WARMUP_CHOICES),
  bound('start', "Start of Python's slice, of each chain after the choice of warmup."),
  bound('stop', "Stop of Python's slice, of each chain after the choice of warmup."),
  {
    name: 'step',
    in: 'query',
    description: 'Every step-th draw of each chain',
    schema: { type: 'integer', format: 'int64', minimum: 1, default: 1 },
  },
]

const [, , ...slice] = sliceParameters

export const npyParameters: readonly Parameter[] = [
  columns('var', 'The variable; it, or a stat, is named once'),
  columns('stat', 'The sampler stat'),
  ...slice,
]
