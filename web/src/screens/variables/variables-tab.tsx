/** The tab Variables of a run: the table of all scalars, and one of them with its plots. */
import { useEffect, useMemo } from 'preact/hooks'
import type { RunModel } from '../../run/model.ts'
import type { RunSchema } from '../../run/schema.ts'
import { VariablesTable } from './table.tsx'
import { TableModel } from './table-model.ts'
import { Toolbar } from './toolbar.tsx'
import { VariableView } from './variable-view.tsx'
import './variables.css'

export function VariablesTab({ model }: { readonly model: RunModel }) {
  const schema = model.schema.value
  const { sel, more } = model.view.value
  if (schema === undefined) return null
  const isStat = sel === undefined ? more.group === 'stats' : schema.find(sel)?.group === 'stats'
  const group = isStat ? 'stats' : 'draws'
  return <Scalars key={group} model={model} schema={schema} group={group} />
}

interface ScalarsProps {
  readonly model: RunModel
  readonly schema: RunSchema
  readonly group: 'draws' | 'stats'
}

function Scalars({ model, schema, group }: ScalarsProps) {
  const table = useMemo(() => new TableModel(model, schema, group), [model, schema, group])
  useEffect(() => table.begin(), [table])
  const { sel } = model.view.value
  if (sel !== undefined) return <VariableView table={table} label={sel} />
  if (table.listing.columns.length === 0) {
    return <p class="middle">This run has no {group === 'draws' ? 'variables' : 'sampler stats'}.</p>
  }
  return (
    <div class="v-screen">
      <Toolbar table={table} group={group} />
      <VariablesTable table={table} />
    </div>
  )
}
