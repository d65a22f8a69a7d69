/** Anything of JSON as a tree that can be read: names and values, long lists folded. */

/** Items of a list that are shown at once, and when it is unfolded. */
const SHOWN = 12
const UNFOLDED = 500

export function Tree({ value }: { readonly value: Readonly<Record<string, unknown>> }) {
  const entries = Object.entries(value)
  if (entries.length === 0) return <p class="quiet-text">none</p>
  return (
    <dl class="tree">
      {entries.map(([name, each]) => (
        <div key={name} class={isPlain(each) ? 'leaf' : ''}>
          <dt>{name}</dt>
          <dd>
            <Value value={each} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

function Value({ value }: { readonly value: unknown }) {
  if (Array.isArray(value)) return <List values={value} />
  if (typeof value === 'object' && value !== null) return <Tree value={Object.fromEntries(Object.entries(value))} />
  const text = String(value)
  if (text.length <= 300 && !text.includes('\n')) return text
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys
    <pre class="long" tabIndex={0}>
      {text}
    </pre>
  )
}

function List({ values }: { readonly values: readonly unknown[] }) {
  if (values.length === 0) return 'none'
  if (!values.every(isPlain)) {
    return <Tree value={Object.fromEntries(values.slice(0, UNFOLDED).map((each, i) => [String(i), each]))} />
  }
  return <Folded texts={values.map(String)} />
}

/** A long list: its beginning, and the rest behind a button. */
export function Folded({ texts }: { readonly texts: readonly string[] }) {
  if (texts.length <= SHOWN) return texts.join(', ')
  const rest = texts.slice(SHOWN, UNFOLDED)
  return (
    <>
      {texts.slice(0, SHOWN).join(', ')},{' '}
      <details class="more">
        <summary>{texts.length - SHOWN} more</summary>
        {rest.join(', ')}
        {texts.length > UNFOLDED && ` … and ${texts.length - UNFOLDED} more`}
      </details>
    </>
  )
}

function isPlain(value: unknown): boolean {
  return typeof value !== 'object' || value === null
}
