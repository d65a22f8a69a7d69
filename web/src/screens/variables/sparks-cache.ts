/** Small pictures of the rows that are in view: asked for those alone, kept for when they come back. */
import { effect, signal, untracked } from '@preact/signals'
import type { ScalarRef, Spark } from '../../draws/questions.ts'
import type { RunModel } from '../../run/model.ts'
import { StandingQuestion } from '../../run/use-draws.ts'
import type { Listing } from './listing.ts'

/** Rows that are kept. */
const KEPT = 400
/** Milliseconds that rows have to stand still before they are asked for, and between two looks at new draws. */
const STILL_MS = 60
const APART_MS = 2000
/** Pixels of a picture. */
export const SPARK_WIDTH = 90

interface Kept {
  readonly spark: Spark
  readonly moment: number
}

export class SparksCache {
  /** Rises when there are other pictures. */
  readonly version = signal(0)
  private readonly kept = new Map<number, Kept>()
  private readonly asked = new WeakMap<
    readonly ScalarRef[],
    { readonly rows: readonly number[]; readonly moment: number }
  >()
  private readonly standing: StandingQuestion<'sparks'>
  private readonly model: RunModel
  private readonly listing: Listing
  private visible: readonly number[] = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private choice = ''

  constructor(model: RunModel, listing: Listing) {
    this.model = model
    this.listing = listing
    // Pictures of one moment: new draws are looked at here, at a distance.
    this.standing = new StandingQuestion({ draws: model.draws, moment: signal(0) }, 'sparks')
  }

  begin(): () => void {
    const stops = [
      this.standing.begin(),
      effect(() => {
        const { answer, asked } = this.standing.answered.value
        if (answer !== undefined && asked !== undefined) untracked(() => this.keep(answer, asked.scalars))
      }),
      effect(() => {
        void this.model.moment.value
        const choice = JSON.stringify(this.model.choice.value)
        if (choice !== this.choice) this.kept.clear()
        const rest = choice === this.choice ? APART_MS : 0
        this.choice = choice
        untracked(() => this.look(rest))
      }),
    ]
    return () => {
      clearTimeout(this.timer)
      for (const stop of stops) stop()
    }
  }

  of(scalar: number): Spark | undefined {
    return this.kept.get(scalar)?.spark
  }

  /** Tells the scalars whose rows are in view. */
  show(scalars: readonly number[]): void {
    this.visible = scalars
    const isMissing = scalars.some((each) => !this.kept.has(each))
    clearTimeout(this.timer)
    this.timer = undefined
    this.look(isMissing ? STILL_MS : APART_MS)
  }

  private look(rest: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.ask()
    }, rest)
  }

  private ask(): void {
    const moment = this.model.moment.peek()
    const rows = this.visible.filter((each) => this.kept.get(each)?.moment !== moment)
    if (rows.length === 0) return
    const scalars = rows.map((row): ScalarRef => {
      const { group, name, element } = this.listing.scalar(row)
      return { group, name, element }
    })
    this.asked.set(scalars, { rows, moment })
    this.standing.want({ scalars, choice: this.model.choice.peek(), width: SPARK_WIDTH })
  }

  private keep(answer: readonly Spark[], scalars: readonly ScalarRef[]): void {
    const asked = this.asked.get(scalars)
    if (asked === undefined) return
    for (const [i, row] of asked.rows.entries()) {
      const spark = answer[i]
      if (spark === undefined) continue
      this.kept.delete(row)
      this.kept.set(row, { spark, moment: asked.moment })
    }
    for (const row of this.kept.keys()) {
      if (this.kept.size <= KEPT) break
      this.kept.delete(row)
    }
    this.version.value++
  }
}
