/** Chains: how far and how fast each is, and what it is to blame for. */
import { show } from '../../app/navigate.ts'
import { count, duration, rate } from '../../paint/number.ts'
import { ChainSign } from '../../parts/chain-sign.tsx'
import { toggled } from '../../run/chosen-chains.ts'
import { useClock } from '../../run/clock.ts'
import type { ChainNow, RunModel } from '../../run/model.ts'
import { expectedOf, stateOf } from '../../run/progress.ts'
import { blamedOf, type Mark, type Marks } from './chain-marks.ts'

/** More chains than have a line of their own. */
const LINES = 12
/** Milliseconds without a draw from which on a chain is called silent. */
const SILENCE_MS = 60_000

export interface ChainsCardProps {
  readonly model: RunModel
  readonly marks: Marks
  /** Draws of warmup, by chain, as far as they are known. */
  readonly warmup: ReadonlyMap<number, number>
}

interface Row extends ChainNow {
  readonly place: number
  readonly share: number
  readonly total: number | undefined
  readonly rate: number | undefined
  readonly state: string | undefined
  readonly marks: readonly Mark[]
  readonly isIn: boolean
}

export function ChainsCard({ model, marks, warmup }: ChainsCardProps) {
  const rows = useRows({ model, marks, warmup })
  const isCompact = rows.length > LINES
  const blamed = blamedOf(marks).map((chain) => rows.findIndex((row) => row.chain === chain))
  return (
    <section class="card chains" aria-label="Chains">
      <h2>
        Chains <Together rows={rows} />
      </h2>
      {rows.length === 0 && <p class="quiet-text">No chain has begun yet.</p>}
      <ul class={isCompact ? 'chain-cells' : 'chain-rows'}>
        {rows.map((row) => (
          <li key={row.chain}>
            {isCompact ? (
              <Cell row={row} rows={rows} blamed={blamed} model={model} />
            ) : (
              <Line row={row} rows={rows} model={model} />
            )}
          </li>
        ))}
      </ul>
      {isCompact && <Blamed rows={rows} />}
    </section>
  )
}

function useRows({ model, marks, warmup }: ChainsCardProps): readonly Row[] {
  const now = useClock()
  const about = model.about.value
  const chains = model.chains.value
  const { chains: chosen } = model.view.value
  const expected = about === undefined ? undefined : expectedOf(about.facts)
  const total = expected === undefined ? undefined : expected.draws + expected.warmup
  const longest = Math.max(1, total ?? 0, ...chains.map(({ length }) => length))
  const heardAt = (chain: number) => model.rates.heardAt(chain)
  const isLive = about !== undefined && stateOf(about, chains, heardAt, now) !== 'done'
  return chains.map(({ chain, length }, place) => {
    const silence = now - (heardAt(chain) ?? now)
    const isSilent = isLive && silence > SILENCE_MS && !(total !== undefined && length >= total)
    const isWarming = isLive && length > 0 && isInWarmup(length, warmup.get(chain), expected?.warmup)
    return {
      chain,
      length,
      place,
      total,
      share: length / longest,
      rate: isLive ? model.rates.of(chain, now) : undefined,
      state: isSilent ? `silent for ${duration(silence / 1000)}` : isWarming ? 'warmup' : undefined,
      marks: marks.get(chain) ?? [],
      isIn: chosen.length === 0 || chosen.includes(chain),
    }
  })
}

/** @param told draws of warmup as the draws tell them, @param expected as the facts do */
function isInWarmup(length: number, told: number | undefined, expected: number | undefined): boolean {
  if (expected !== undefined && expected > 0) return length < expected
  return told !== undefined && told > 0 && told >= length
}

function Together({ rows }: { readonly rows: readonly Row[] }) {
  const rates = rows.map((row) => row.rate ?? 0)
  const sum = rates.reduce((a, b) => a + b, 0)
  return sum === 0 ? null : <span class="beside">{rate(sum)} draws/s</span>
}

function toggle(model: RunModel, rows: readonly Row[], chain: number): void {
  const all = rows.map((row) => row.chain)
  show({ chains: toggled(model.view.value.chains, all, chain) })
}

interface LineProps {
  readonly row: Row
  readonly rows: readonly Row[]
  readonly model: RunModel
}

function Line({ row, rows, model }: LineProps) {
  const { chain, length, total, place, isIn, state, marks } = row
  return (
    <button
      type="button"
      class="chain-row"
      aria-pressed={isIn}
      title={`Click to ${isIn ? 'leave chain' : 'take in chain'} ${chain}${isIn ? ' out' : ''}`}
      onClick={() => toggle(model, rows, chain)}
    >
      <span class="chain-name">
        <span class="visually-hidden">Chain</span> {chain} <ChainSign place={place} chains={rows.length} />
      </span>
      <Bar row={row} />
      <span class="number">
        {count(length)}
        {total !== undefined && <span class="quiet-text"> of {count(total)}</span>}
      </span>
      <span class="number">{row.rate === undefined ? '' : `${rate(row.rate)}/s`}</span>
      <span class="chain-words">
        {state !== undefined && <span class="tag">{state}</span>}
        {marks.map((mark) => (
          <MarkTag key={mark.text} mark={mark} />
        ))}
      </span>
    </button>
  )
}

function Bar({ row: { share } }: { readonly row: Row }) {
  return (
    <span class="bar" aria-hidden="true">
      <span style={{ width: `${100 * Math.min(1, share)}%` }} />
    </span>
  )
}

const SIGNS = { fail: '✗', warn: '!' } as const

function MarkTag({ mark: { kind, text } }: { readonly mark: Mark }) {
  return (
    <span class={`mark ${kind}`}>
      <span aria-hidden="true">{SIGNS[kind]}</span> {text}
    </span>
  )
}

function Cell({ row, rows, blamed, model }: LineProps & { readonly blamed: readonly number[] }) {
  const { chain, place, isIn, marks } = row
  const words = wordsOf(row)
  const worst = marks.find(({ kind }) => kind === 'fail') ?? marks[0]
  return (
    <button
      type="button"
      class="chain-cell"
      aria-pressed={isIn}
      aria-label={words}
      title={words}
      onClick={() => toggle(model, rows, chain)}
    >
      <span>
        {chain}
        {blamed.includes(place) && <ChainSign place={place} chains={rows.length} blamed={blamed} />}
        {worst !== undefined && <b class={`mark ${worst.kind}`}>{SIGNS[worst.kind]}</b>}
      </span>
      <Bar row={row} />
    </button>
  )
}

function wordsOf({ chain, length, total, rate: speed, state, marks }: Row): string {
  return [
    `Chain ${chain}: ${count(length)}${total === undefined ? '' : ` of ${count(total)}`} draws`,
    ...(speed === undefined ? [] : [`${rate(speed)} a second`]),
    ...(state === undefined ? [] : [state]),
    ...marks.map(({ text }) => text),
  ].join(', ')
}

/** More chains with marks than are told by name. */
const TOLD = 5

function Blamed({ rows }: { readonly rows: readonly Row[] }) {
  const marked = rows
    .filter(({ marks }) => marks.length > 0)
    .sort((a, b) => Number(b.marks.some((mark) => mark.standsOut)) - Number(a.marks.some((mark) => mark.standsOut)))
  if (marked.length === 0) return null
  return (
    <ul class="blamed">
      {marked.slice(0, TOLD).map(({ chain, marks }) => (
        <li key={chain}>
          Chain {chain}:{' '}
          {marks.map((mark) => (
            <MarkTag key={mark.text} mark={mark} />
          ))}
        </li>
      ))}
      {marked.length > TOLD && <li class="quiet-text">and {marked.length - TOLD} more chains</li>}
    </ul>
  )
}
