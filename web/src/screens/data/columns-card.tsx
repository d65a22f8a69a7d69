/** Variables and sampler stats: types, shapes and dimensions, and those that have no numbers to plot. */
import { useState } from 'preact/hooks'
import { count } from '../../paint/number.ts'
import type { RunColumn, RunSchema } from '../../run/schema.ts'

/** Rows that are shown at once: a run may have thousands. */
const SHOWN = 200

export function ColumnsCard({ schema }: { readonly schema: RunSchema }) {
  return (
    <section class="card" aria-label="Variables and stats">
      <h2>Variables</h2>
      <Columns name="Table of variables" columns={schema.columns.filter(({ group }) => group === 'draws')} />
      <h2>Sampler stats</h2>
      <Columns name="Table of sampler stats" columns={schema.columns.filter(({ group }) => group === 'stats')} />
    </section>
  )
}

function Columns({ name, columns }: { readonly name: string; readonly columns: readonly RunColumn[] }) {
  const [most, setMost] = useState(SHOWN)
  if (columns.length === 0) return <p class="quiet-text">There are none.</p>
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys */}
      <section class="wide" tabIndex={0} aria-label={name}>
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">name</th>
              <th scope="col">type</th>
              <th scope="col">shape</th>
              <th scope="col">remark</th>
            </tr>
          </thead>
          <tbody>
            {columns.slice(0, most).map((column) => (
              <tr key={column.name}>
                <th scope="row">{column.name}</th>
                <td>{column.dtype}</td>
                <td>{shapeText(column)}</td>
                <td class="quiet-text">{remarkOn(column)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {columns.length > most && (
        <button type="button" onClick={() => setMost(most + 5 * SHOWN)}>
          Show more of {count(columns.length)}
        </button>
      )}
    </>
  )
}

function shapeText({ shape, dims }: RunColumn): string {
  if (shape === null) return 'differs'
  if (shape.length === 0) return 'scalar'
  const sizes = shape.map((size, axis) => {
    const name = dims[axis]
    const text = size < 0 ? 'varies' : count(size)
    return name === undefined || name === '' ? text : `${name}: ${text}`
  })
  return sizes.join(' × ')
}

function remarkOn({ scalars, dtype, isDeterministic }: RunColumn): string {
  return [
    ...(isDeterministic ? ['deterministic'] : []),
    ...(scalars > 0 ? [] : [dtype === 'str' ? 'texts: no numbers to plot' : 'no fixed shape: not plotted']),
  ].join('; ')
}
