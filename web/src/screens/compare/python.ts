/** Lines of Python that compare runs with ArviZ. */
import { pythonList, pythonRun, pythonText } from '../../run/python-lines.ts'

export interface ComparedPython {
  readonly url: string
  readonly access: 'open' | 'keyed'
  readonly runs: readonly (readonly [name: string, rid: string])[]
  readonly variables: readonly string[]
}

export function forestPython({ url, access, runs, variables }: ComparedPython): string {
  return [
    ...(access === 'keyed' ? ['import os', ''] : []),
    'import arviz as az',
    'from mcbackend_edge import Client',
    '',
    'runs = {',
    ...runs.map(([name, rid]) => {
      return `    ${pythonText(name)}: ${pythonRun({ url, rid, access, chains: [] })}.to_datatree(),`
    }),
    '}',
    `az.plot_forest(runs, var_names=${pythonList(variables)}, ci_probs=(0.5, 0.89))`,
    '',
  ].join('\n')
}
