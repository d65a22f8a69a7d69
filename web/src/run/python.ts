/** Lines of Python for the run that is open. */
import { key } from '../app/session.ts'
import type { RunModel } from './model.ts'
import { type PythonRun, pythonChoice, pythonLines } from './python-lines.ts'
import type { NamedScalar } from './schema.ts'

/** The run as lines of Python name it: at this server, with the chains of the view. */
export function pythonOf(model: RunModel): PythonRun {
  return {
    url: location.origin,
    rid: model.rid,
    access: key.value === undefined ? 'open' : 'keyed',
    chains: model.view.value.chains,
  }
}

/** Lines that end with a call of ArviZ on the run's DataTree `dt`, as `az.plot_energy(dt)`. */
export function pythonFor(model: RunModel, call: string): string {
  return pythonLines(pythonOf(model), call)
}

/** Lines that draw these scalars with a function of ArviZ, as `plot_trace_dist`. */
export function pythonForScalars(model: RunModel, plot: string, scalars: readonly NamedScalar[]): string | undefined {
  const schema = model.schema.value
  return schema === undefined ? undefined : pythonFor(model, `az.${plot}(dt, ${pythonChoice(schema, scalars)})`)
}
