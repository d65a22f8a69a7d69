/** Lines of Python that read a run, and draw with ArviZ what the page shows. */
import { arvizName } from '../../../src/core/diagnostics/checks/stat-names.ts'
import type { NamedScalar, RunSchema } from './schema.ts'

export interface PythonRun {
  /** Address of the server. */
  readonly url: string
  readonly rid: string
  /** `keyed` where requests need a key, which comes from the environment and never stands in lines that are copied. */
  readonly access: 'open' | 'keyed'
  /** Chains that count; all when empty. */
  readonly chains: readonly number[]
}

/** A text as a literal of Python. Characters that cannot be seen are escaped, as they might turn around what is read. */
export function pythonText(text: string): string {
  return JSON.stringify(text).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (each) => {
    const code = (each.codePointAt(0) ?? 0).toString(16)
    return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`
  })
}

/** A list of texts or numbers as a literal of Python. */
export function pythonList(items: readonly (string | number)[]): string {
  return `[${items.map((item) => (typeof item === 'string' ? pythonText(item) : item)).join(', ')}]`
}

/** The expression of the run: `Client("http://…").run("…")`. */
export function pythonRun({ url, rid, access }: PythonRun): string {
  const key = access === 'keyed' ? ', os.environ["MCB_TOKEN"]' : ''
  return `Client(${pythonText(url)}${key}).run(${pythonText(rid)})`
}

/** Imports, the run as a DataTree `dt`, and one call of ArviZ that is given it. */
export function pythonLines(run: PythonRun, call: string): string {
  const chains = run.chains.length === 0 ? '' : `chains=${pythonList(run.chains)}`
  return [
    ...(run.access === 'keyed' ? ['import os', ''] : []),
    'import arviz as az',
    'from mcbackend_edge import Client',
    '',
    `dt = ${pythonRun(run)}.to_datatree(${chains})`,
    call,
    '',
  ].join('\n')
}

/** Lines that read the run: its draws as a DataTree, and its summary. */
export function pythonReading(run: PythonRun): string {
  return [
    ...(run.access === 'keyed' ? ['import os', ''] : []),
    'from mcbackend_edge import Client',
    '',
    `run = ${pythonRun(run)}`,
    'print(run.checks())',
    'print(run.summary(sort="-rhat", limit=20))',
    `dt = run.to_datatree(${run.chains.length === 0 ? '' : `chains=${pythonList(run.chains)}`})`,
    '',
  ].join('\n')
}

/** Arguments by which ArviZ chooses these scalars: `var_names=["theta"], coords={"school": ["Choate"]}`. */
export function pythonChoice(schema: RunSchema, scalars: readonly NamedScalar[]): string {
  const stats = scalars.filter(({ group }) => group === 'stats')
  const names = [...new Set(scalars.map(({ group, name }) => (group === 'stats' ? arvizName(name) : name)))]
  const coords = coordsOf(schema, scalars)
  return [
    `var_names=${pythonList(names)}`,
    ...(coords === '' ? [] : [`coords={${coords}}`]),
    ...(stats.length === 0 ? [] : ['group="sample_stats"']),
  ].join(', ')
}

/** Places along each dimension, by label where there are labels; none for a variable of which everything is chosen. */
function coordsOf(schema: RunSchema, scalars: readonly NamedScalar[]): string {
  const places = new Map<string, Set<string | number>>()
  for (const { group, name, index } of scalars) {
    const column = schema.column(group, name)
    const isWhole = scalars.filter((each) => each.group === group && each.name === name).length === column?.scalars
    if (column === undefined || isWhole) continue
    for (const [axis, position] of index.entries()) {
      // ArviZ's name of a dimension that has none.
      const dim = column.dims[axis] ?? `${name}_dim_${axis}`
      const known = places.get(dim) ?? new Set()
      places.set(dim, known.add(schema.coordinates.get(dim)?.[position] ?? position))
    }
  }
  return [...places].map(([dim, all]) => `${pythonText(dim)}: ${pythonList([...all])}`).join(', ')
}
