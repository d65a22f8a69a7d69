/** The verdict: can this run be trusted, and if not, why, and where to look. */
import type { Checks } from '../../api/shapes.ts'
import { place } from '../../app/navigate.ts'
import { addressOf } from '../../app/place.ts'
import { percent } from '../../paint/number.ts'
import { VerdictBadge } from '../../parts/badges.tsx'
import type { RunModel } from '../../run/model.ts'
import { type Sentence, type Verdict, verdictOf, type WayTo } from './verdict.ts'

export function VerdictCard({ model }: { readonly model: RunModel }) {
  const checks = model.checks.value
  // A run is fine when all is known.
  const isFineSoFar = checks?.progress !== undefined && checks.status === 'ok'
  return (
    <section class="card verdict" aria-label="Verdict">
      <h2>Verdict {checks !== undefined && <VerdictBadge status={isFineSoFar ? 'unknown' : checks.status} />}</h2>
      {checks === undefined ? (
        <p class="quiet-text">The checks are being computed …</p>
      ) : (
        <Found model={model} checks={checks} />
      )}
    </section>
  )
}

function Found({ model, checks }: { readonly model: RunModel; readonly checks: Checks }) {
  const { progress } = checks
  const verdict = verdictOf(checks, model.chains.value.length)
  const isPending = progress !== undefined
  const shown = isPending ? verdict.sentences.filter(({ status }) => status !== 'unknown') : verdict.sentences
  return (
    <>
      {progress !== undefined && (
        <p class="pending">
          <progress value={progress} aria-label="Checks that are computed" />
          {percent(progress)} computed; not known yet:{' '}
          {verdict.sentences
            .filter(({ status }) => status === 'unknown')
            .map(({ name }) => name)
            .join(', ')}
        </p>
      )}
      {shown.length > 0 && (
        <ul class="sentences">
          {shown.map((sentence) => (
            <Told key={sentence.check} model={model} sentence={sentence} />
          ))}
        </ul>
      )}
      <Fine fine={verdict.fine} isAll={verdict.sentences.length === 0} />
      <Notes model={model} />
    </>
  )
}

function Told({ model, sentence }: { readonly model: RunModel; readonly sentence: Sentence }) {
  const { status, message, advice, way } = sentence
  return (
    <li class={status}>
      <VerdictBadge status={status} />
      <div>
        <p>
          <Words text={message} />. {way !== undefined && <Way model={model} way={way} />}
        </p>
        {advice !== '' && (
          <p class="advice">
            <Words text={advice} />.
          </p>
        )}
      </div>
    </li>
  )
}

/** A sentence, in which names stand between backticks. */
function Words({ text }: { readonly text: string }) {
  return <>{text.split('`').map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</>
}

function Way({ model, way }: { readonly model: RunModel; readonly way: WayTo }) {
  const view = model.view.value
  const at = { ...view, ...way.view, more: { ...view.more, ...way.view.more } }
  // The address changes with the view, and the link with it.
  void place.value
  return (
    <a class="way" href={addressOf({ screen: 'run', rid: model.rid, view: at })}>
      → {way.text}
    </a>
  )
}

function Fine({ fine, isAll }: { readonly fine: Verdict['fine']; readonly isAll: boolean }) {
  if (fine.length === 0) return null
  return (
    <details class="fine" open={isAll}>
      <summary>
        {fine.map(({ words }) => (
          <span key={words}>
            <span aria-hidden="true">✓</span> {words}
          </span>
        ))}
      </summary>
      <ul>
        {fine.map(({ words, message }) => (
          <li key={words}>
            <Words text={message} />.
          </li>
        ))}
      </ul>
    </details>
  )
}

/** Checks have one convention, and judge all chains behind warmup, whatever the view has. */
function Notes({ model }: { readonly model: RunModel }) {
  const { convention, chains, warmup, draws } = model.view.value
  const isPart = chains.length > 0 || warmup === 'include' || draws.start !== undefined || draws.stop !== undefined
  const notes = [
    ...(convention === 'arviz' ? ['The checks use the numbers of R’s posterior.'] : []),
    ...(isPart ? ['They judge all chains behind warmup, whatever is chosen above.'] : []),
  ]
  return notes.length === 0 ? null : <p class="advice">{notes.join(' ')}</p>
}
