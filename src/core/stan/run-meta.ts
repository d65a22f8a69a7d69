/**
 * The run that files of Stan make up. Its metadata hold what all chains have in common, so that it does not matter which of
 * them comes first, nor who sends it: the Python package registers the same.
 */
import type { Schema } from '../draws/columns.ts'
import type { mcbackend, RunMeta } from '../wire/run-meta.ts'
import type { ColumnGroup } from './columns.ts'
import type { CsvFile, FileColumns } from './csv-file.ts'
import { hasWarmupFlag, type Plan } from './plan.ts'
import type { Settings } from './settings.ts'
import { shown } from './stan-error.ts'

/** The stat that marks warmup, for methods that have it. */
export const TUNE = 'tune'

/**
 * Settings that are attributes of the run where a file has them: those that all chains of a run share, and that it has again
 * when its script is started again. The rest are facts.
 */
const KEPT = ['model', 'num_samples', 'num_warmup', 'save_warmup', 'thin', 'delta', 'max_depth', 'metric'] as const

type Read = Pick<CsvFile, 'settings'> & { readonly columns: FileColumns; readonly plan: Pick<Plan, 'method'> }

function attributesOf(settings: Settings): Map<string, string> {
  const attributes = new Map([['inference_library', 'stan']])
  const { method } = settings
  if (method !== undefined) attributes.set('method', method)
  for (const name of KEPT) {
    const value = settings.get(name)
    if (value !== undefined) attributes.set(name, value)
  }
  return attributes
}

interface Variable {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
}

function statsOf({ columns, plan }: Pick<Read, 'columns' | 'plan'>): readonly Variable[] {
  const flag: Variable = { name: TUNE, dtype: 'bool', shape: [] }
  return hasWarmupFlag({ ...plan, warmup: 0 }) ? [...columns.stats, flag] : columns.stats
}

export function runMetaOf(file: Read, rid: string): mcbackend.RunMeta.$Properties {
  const variable = ({ name, dtype, shape }: Variable) => ({ name, dtype, shape: [...shape] })
  return {
    rid,
    variables: file.columns.draws.map(variable),
    sampleStats: statsOf(file).map(variable),
    attributes: Object.fromEntries(
      [...attributesOf(file.settings)].map(([name, stringValue]) => [name, { kind: 'stringValue', stringValue }]),
    ),
  }
}

interface Stored {
  readonly meta: RunMeta
  readonly schema: Schema
}

/**
 * The first thing in which a file and a run differ, in words; undefined where the file may be a chain of it. A run that has more
 * attributes, or names for its dimensions, may have it.
 */
export function differenceOf(file: Read, { meta, schema }: Stored): string | undefined {
  return (
    columnsDiffer(schema.draws, file.columns.draws, 'variable') ??
    columnsDiffer(schema.stats, statsOf(file), 'stat') ??
    settingsDiffer(meta, attributesOf(file.settings))
  )
}

function columnsDiffer(
  stored: Schema['draws'],
  own: readonly (Variable | ColumnGroup)[],
  what: 'variable' | 'stat',
): string | undefined {
  for (const { name, dtype, shape } of own) {
    const other = stored.get(name)
    if (other === undefined) return `it has the ${what} ${shown(name)}, which the run does not have`
    if (other.dtype === dtype && other.shape?.join() === shape.join()) continue
    return `its ${what} ${shown(name)} is ${dtype} of shape [${shape}], the run's ${other.dtype} of [${other.shape ?? 'any'}]`
  }
  if (stored.size === own.length) return undefined
  const names = new Set(own.map(({ name }) => name))
  const missing = [...stored.keys()].find((name) => !names.has(name))
  return missing === undefined ? undefined : `it lacks the ${what} ${shown(missing)} of the run`
}

function settingsDiffer({ attributes }: RunMeta, own: ReadonlyMap<string, string>): string | undefined {
  for (const [name, value] of own) {
    const entry = Object.entries(attributes ?? {}).find(([key]) => key === name)?.[1]
    const stored = entry?.stringValue ?? entry?.numberValue ?? entry?.boolValue
    if (stored === undefined || stored === null || settingOf(String(stored)) === settingOf(value)) continue
    return `its ${name} is ${shown(value)}, that of the run ${shown(String(stored))}`
  }
  return undefined
}

/** A setting as a value, however this version of CmdStan writes it. */
function settingOf(text: string): string {
  if (text === 'true' || text === 'false') return text === 'true' ? '1' : '0'
  const number = text.trim() === '' ? Number.NaN : Number(text)
  return Number.isNaN(number) ? text : String(number)
}
