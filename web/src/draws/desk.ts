/** The desk at which one question is answered: its draws, its turns, and what was known before. */
import { statsCalled } from '../../../src/core/diagnostics/checks/stat-names.ts'
import type { RigidNumbers, Schema } from '../../../src/core/draws/columns.ts'
import type { Ahead } from './ahead.ts'
import type { Chains, Moment, Part } from './chains.ts'
import type { Known } from './known.ts'
import type { Loader, Waiting, Wanted } from './loader.ts'
import type { Choice, OpenedRun, ScalarRef } from './questions.ts'
import type { Requests } from './requests.ts'
import { TooLarge } from './too-large.ts'
import type { Steps, Turns } from './turns.ts'

/** All that belongs to one run that is open. */
export interface Room {
  readonly run: OpenedRun
  readonly schema: Schema
  readonly chains: Chains
  readonly loader: Loader
  readonly requests: Requests
  readonly turns: Turns
  readonly known: Known
  readonly ahead: Ahead
  /** Values of one question at most. */
  readonly most: number
  /** Aborts when the run is closed. */
  readonly closing: AbortSignal
}

export class Desk {
  readonly room: Room
  readonly waiting: Waiting

  constructor(room: Room, waiting: Waiting) {
    this.room = room
    this.waiting = waiting
  }

  /** @throws Error for a name that the run does not have, and for a column that has no scalars */
  spec({ group, name, element }: ScalarRef): RigidNumbers {
    const spec = this.room.schema[group].get(name)
    if (spec === undefined) throw new Error(`the run has no ${group === 'draws' ? 'variable' : 'stat'} "${name}"`)
    if (spec.kind !== 'rigid-numbers')
      throw new Error(`"${name}" has no scalars: its shape varies, or it holds strings`)
    if (element < spec.elements) return spec
    throw new Error(`"${name}" has ${spec.elements} elements, counted from 0, and none at ${element}`)
  }

  /** Stats that tell divergences; one for each sampler of a compound one. */
  get diverging(): RigidNumbers[] {
    return statsCalled('diverging', this.room.schema)
  }

  parts(choice: Choice): Promise<Part[]> {
    return this.room.chains.parts(choice, this.waiting)
  }

  moment(choice: Choice): Promise<Moment> {
    return this.room.chains.moment(choice, this.waiting)
  }

  compute<T>(steps: Steps<T>): Promise<T> {
    return this.room.turns.run(steps, this.waiting.urgency, this.waiting.signal)
  }

  /** Draws of scalars in some parts of chains, scalar after scalar, as the loader wants them. */
  wanted(scalars: readonly { spec: RigidNumbers; element: number }[], parts: readonly Part[]): Wanted[] {
    // Draws before the chosen ones are kept as well, so that another choice needs no further request.
    const isWhole = scalars.length * parts.reduce((n, { stop }) => n + stop, 0) <= this.room.most
    return scalars.flatMap(({ spec, element }) =>
      parts.map(({ chain, first, stop }) => ({
        chain,
        spec,
        element,
        first: isWhole ? 0 : first,
        start: first,
        stop,
      })),
    )
  }

  /** Draws of some scalars: for each one, those of each part. @throws TooLarge */
  async draws(scalars: readonly ScalarRef[], parts: readonly Part[]): Promise<Float64Array[][]> {
    const chosen = scalars.map((ref) => ({ spec: this.spec(ref), element: ref.element }))
    this.requireFew(scalars.length, parts)
    const views = await this.room.loader.load(this.wanted(chosen, parts), this.waiting)
    return scalars.map((_, i) => views.slice(i * parts.length, (i + 1) * parts.length))
  }

  /** @throws TooLarge where so many scalars of these draws are too many */
  requireFew(scalars: number, parts: readonly Part[]): void {
    const draws = parts.reduce((n, { first, stop }) => n + stop - first, 0)
    if (scalars * draws > this.room.most) throw tooLarge(scalars, draws)
  }
}

export function tooLarge(scalars: number, draws: number): TooLarge {
  const what = scalars === 1 ? `${draws} draws` : `${scalars} scalars of ${draws} draws`
  return new TooLarge(`${what} are more than a page computes with: choose fewer draws or chains`)
}

/** All draws of a scalar, chain after chain. */
export function together(chains: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(chains.reduce((n, { length }) => n + length, 0))
  let place = 0
  for (const values of chains) {
    all.set(values, place)
    place += values.length
  }
  return all
}
