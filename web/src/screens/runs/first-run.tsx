/** The way to a first run, with this server's address. */
import { copy } from '../../app/notice.ts'
import { key, may } from '../../app/session.ts'
import { type FirstSteps, firstSteps } from './first-steps.ts'

export function FirstRun() {
  if (!may('write')) {
    return (
      <section class="first-run">
        <h1>No runs yet</h1>
        <p>The key of this tab may read. Runs appear here as soon as somebody sends one.</p>
      </section>
    )
  }
  return (
    <section class="first-run">
      <h1>No runs yet</h1>
      <p>Send one, and it appears here by itself.</p>
      <div class="steps">
        {firstSteps(location.origin, key.value === undefined ? 'open' : 'keyed').map((steps) => (
          <Steps key={steps.title} {...steps} />
        ))}
      </div>
    </section>
  )
}

function Steps({ title, before, lines, after }: FirstSteps) {
  return (
    <section class="card" aria-label={title}>
      <h2>
        {title}
        <button type="button" onClick={() => void copy(lines, 'Lines')} aria-label={`Copy the lines of ${title}`}>
          Copy
        </button>
      </h2>
      <p class="quiet-text">{before}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys */}
      <pre tabIndex={0}>
        <code>{lines}</code>
      </pre>
      {after !== undefined && <p class="quiet-text">{after}</p>}
    </section>
  )
}
