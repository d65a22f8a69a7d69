/** A run as a row of the list; on narrow screens its cells lie as on a card. */
import { Component, type ComponentChildren } from 'preact'
import type { Diagnostics } from '../../api/shapes.ts'
import { count, duration, rate, rhatText, significant } from '../../paint/number.ts'
import { StateBadge } from '../../parts/badges.tsx'
import { type RunAction, RunMenu } from '../../run/actions.tsx'
import { type Eta, GREATEST_RHAT, TARGET_ESS } from './pace.ts'
import type { Row } from './rows.ts'
import { ago, exactly } from './when.ts'

export interface RunRowProps {
  readonly row: Row
  /** Among all rows, from 0. */
  readonly place: number
  /** Pixels. */
  readonly top: number
  readonly height: number
  /** Iterations that each chain is to have. */
  readonly expected: number | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  readonly isCurrent: boolean
  /** Undefined where runs cannot be chosen. */
  readonly isChosen: boolean | undefined
  readonly onFocus: () => void
  readonly onChoose: () => void
  readonly onTag: (tag: string) => void
  readonly onAct: (action: RunAction) => void
}

/** Tags of a row; more are counted. */
const SHOWN_TAGS = 3

/** Id of the link of a run, which has the focus when the keyboard is at it. */
export function rowLinkId(rid: string): string {
  return `run:${rid}`
}

const NOTHING = '–'

/** A row is rendered anew when it shows something else: not for each step of the wheel, nor for other rows. */
export class RunRow extends Component<RunRowProps> {
  override shouldComponentUpdate(next: RunRowProps): boolean {
    const { row, place, top, height, expected, now, isCurrent, isChosen } = this.props
    return !(
      row.line === next.row.line &&
      row.rate === next.row.rate &&
      isSameEta(row.eta, next.row.eta) &&
      place === next.place &&
      top === next.top &&
      height === next.height &&
      expected === next.expected &&
      now === next.now &&
      isCurrent === next.isCurrent &&
      isChosen === next.isChosen
    )
  }

  override render() {
    return <RowCells {...this.props} />
  }
}

function isSameEta(a: Eta, b: Eta): boolean {
  return a.kind === b.kind && (a.kind !== 'left' || b.kind !== 'left' || a.seconds === b.seconds)
}

function RowCells(props: RunRowProps) {
  const { row, place, top, height, now, isCurrent, onFocus, onAct } = props
  const { line, eta } = row
  const { diagnostics } = line
  return (
    <tr
      class={`run-row ${isCurrent ? 'current' : ''}`}
      aria-rowindex={place + 2}
      style={{ top: `${top}px`, height: `${height}px` }}
      onFocusIn={onFocus}
    >
      <Choice {...props} />
      <Cell kind="state">
        <StateBadge state={line.state} />
        <Verdict diagnostics={diagnostics} />
      </Cell>
      <NameCell {...props} />
      <Cell kind="started" label="started" title={`registered ${exactly(line.createdAt)}`}>
        {ago(line.createdAt, now)}
      </Cell>
      <Cell kind="chains" label="chains">
        {count(line.chains)}
      </Cell>
      <DrawsCell {...props} />
      <Cell kind="rate" label="draws/s">
        {row.rate === undefined ? NOTHING : rate(row.rate)}
      </Cell>
      <FigureCell kind="rhat" label="R-hat" diagnostics={diagnostics} value={diagnostics?.rhat} of={rhatFigure} />
      <EssCell diagnostics={diagnostics} />
      <FigureCell
        kind="divergences"
        label="divergences"
        diagnostics={diagnostics}
        value={diagnostics?.divergences}
        of={(value) => [count(value), value > 0 ? 'bad' : '']}
      />
      <FigureCell kind="bfmi" label="E-BFMI" diagnostics={diagnostics} value={diagnostics?.bfmi} of={bfmiFigure} />
      <Cell kind="eta" label={`ESS ${TARGET_ESS} in`} title={etaTitle(eta)}>
        {etaText(eta)}
      </Cell>
      <Cell kind="acts">
        <RunMenu run={line} onAct={onAct} />
      </Cell>
    </tr>
  )
}

interface CellProps {
  readonly kind: string
  /** Name of the cell, for screens without heads of columns. */
  readonly label?: string | undefined
  readonly title?: string | undefined
  readonly children: ComponentChildren
}

function Cell({ kind, label, title, children }: CellProps) {
  return (
    <td class={`cell ${kind}`} title={title} data-label={label}>
      {children}
    </td>
  )
}

function Choice({ row: { line }, isChosen, onChoose }: RunRowProps) {
  return (
    <td class="cell choice">
      {isChosen !== undefined && (
        <input
          type="checkbox"
          aria-label={`Compare ${line.name ?? line.rid}`}
          checked={isChosen}
          // The box shows what was chosen, which may not be what was clicked at.
          onClick={(event) => {
            event.preventDefault()
            setTimeout(onChoose)
          }}
        />
      )}
    </td>
  )
}

function Verdict({ diagnostics }: { readonly diagnostics: Diagnostics | null }) {
  if (diagnostics?.status === 'fail') {
    return (
      <span class="status fail">
        <span aria-hidden="true">▲</span> problem
      </span>
    )
  }
  if (diagnostics?.status === 'warn') {
    return (
      <span class="status warn">
        <span aria-hidden="true">!</span> look
      </span>
    )
  }
  return null
}

function NameCell({ row: { line }, onTag }: RunRowProps) {
  const { rid, name, tags, archived } = line
  return (
    <td class="cell name">
      <a id={rowLinkId(rid)} href={`/ui/runs/${encodeURIComponent(rid)}`} title={name ?? rid} dir="auto">
        {name ?? rid}
      </a>
      <span class="below">
        {archived && <span class="tag">archived</span>}
        {tags.slice(0, SHOWN_TAGS).map((tag) => (
          <button
            key={tag}
            type="button"
            class="tag"
            title={`Show runs with the tag ${tag}`}
            onClick={() => onTag(tag)}
          >
            <bdi>{tag}</bdi>
          </button>
        ))}
        {tags.length > SHOWN_TAGS && (
          <span class="tag more-tags" title={tags.join(', ')}>
            +{tags.length - SHOWN_TAGS}
          </span>
        )}
        {name !== null && <code title={rid}>{rid}</code>}
      </span>
    </td>
  )
}

function DrawsCell({ row: { line }, expected }: RunRowProps) {
  const { draws, chains, state } = line
  const total = expected === undefined ? undefined : expected * chains
  if (total === undefined || total === 0 || state === 'done') {
    return (
      <Cell kind="draws" label="draws">
        {count(draws)}
      </Cell>
    )
  }
  const share = Math.min(1, draws / total)
  return (
    <Cell kind="draws" label="draws" title={`${count(draws)} of ${count(total)} iterations, warmup included`}>
      {count(draws)} <span class="of">/ {count(total)}</span>
      <span class="bar" aria-hidden="true">
        <span style={{ width: `${100 * share}%` }} />
      </span>
    </Cell>
  )
}

type Figure = (value: number) => readonly [text: string, look: string]

function rhatFigure(value: number): readonly [string, string] {
  return [rhatText(value), value > GREATEST_RHAT ? 'bad' : value > 1.01 ? 'warn' : '']
}

function bfmiFigure(value: number): readonly [string, string] {
  return [significant(value, 2), value < 0.2 ? 'bad' : value < 0.3 ? 'warn' : '']
}

interface FigureProps {
  readonly kind: string
  readonly label: string
  readonly diagnostics: Diagnostics | null
  readonly value: number | null | undefined
  readonly of: Figure
}

function FigureCell({ kind, label, diagnostics, value, of }: FigureProps) {
  const [text, look] = typeof value === 'number' ? of(value) : [NOTHING, '']
  return (
    <Cell kind={`${kind} ${look}`} label={label} title={momentText(diagnostics)}>
      {text}
    </Cell>
  )
}

function EssCell({ diagnostics }: { readonly diagnostics: Diagnostics | null }) {
  const { essBulk = null, essTail = null } = diagnostics ?? {}
  const text = (ess: number | null) => (ess === null ? '–' : count(ess))
  return (
    <Cell kind="ess" label="ESS" title={momentText(diagnostics)}>
      {essBulk === null && essTail === null ? NOTHING : `${text(essBulk)} / ${text(essTail)}`}
    </Cell>
  )
}

/** The draws that figures are of, and when. */
function momentText(diagnostics: Diagnostics | null): string {
  if (diagnostics === null) return 'not computed yet'
  return `of ${count(diagnostics.draws)} draws of each chain, computed ${exactly(diagnostics.at)}`
}

function etaText(eta: Eta): ComponentChildren {
  switch (eta.kind) {
    case 'left':
      return `≈ ${duration(eta.seconds)}`
    case 'rhat':
      return <span class="not-yet">not yet: R-hat</span>
    default:
      return NOTHING
  }
}

function etaTitle(eta: Eta): string | undefined {
  switch (eta.kind) {
    case 'left':
      return `until the least ESS is ${TARGET_ESS}, if draws go on to come and to count as they do`
    case 'rhat':
      return `chains disagree (R-hat above ${GREATEST_RHAT}): more draws alone will not do`
    case 'reached':
      return `the least ESS is ${TARGET_ESS} or more`
    case 'unknown':
      return undefined
  }
}
