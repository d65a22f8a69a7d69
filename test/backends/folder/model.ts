/**
 * The storage as its clients know it, in plain arrays: what was acknowledged, what was seen, and what was sent with an outcome
 * that nobody knows. It judges each answer, and what a start finds.
 */
import type { Schema } from '../../../src/core/draws/columns.ts'
import type { Origins } from './content.ts'

/** A batch that was sent. */
export interface Attempt {
  readonly start: number
  readonly origins: Origins
}

/** Anything that a store must never do. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

const endOf = ({ start, origins }: Attempt) => start + origins.length

export class ChainModel {
  readonly name: string
  /** Origins of draws that are there for good; holes where one was acknowledged and not seen yet. */
  private readonly known: (number | undefined)[] = []
  /** The chain has at least so many draws. */
  length = 0
  /** Batches that may be there: sent, and neither acknowledged nor known to be missing. */
  private attempts: Attempt[] = []

  constructor(name: string) {
    this.name = name
  }

  /** The greatest length that the chain may have. */
  get most(): number {
    return this.attempts.reduce((most, attempt) => Math.max(most, endOf(attempt)), this.length)
  }

  /** Batches whose outcome nobody knows. */
  get unsettled(): readonly Attempt[] {
    return this.attempts
  }

  /** Origins of some draws, where they are known. */
  knownIn(from: number, to: number): Origins | undefined {
    const known = this.known.slice(from, to).filter((origin) => origin !== undefined)
    return known.length === to - from ? known : undefined
  }

  send(attempt: Attempt): void {
    this.attempts.push(attempt)
  }

  acknowledge(attempt: Attempt, length: number): void {
    if (length < endOf(attempt) || length > this.most) {
      throw this.wrong(`an append up to ${endOf(attempt)} was answered with the length ${length}`)
    }
    this.settle(attempt)
    for (const [i, origin] of attempt.origins.entries()) this.learn(attempt.start + i, origin)
    this.length = Math.max(this.length, endOf(attempt))
  }

  /** A refusal: nothing of the batch is there, unless it is of another one. */
  refused(attempt: Attempt): void {
    this.settle(attempt)
  }

  private settle(attempt: Attempt): void {
    const at = this.attempts.indexOf(attempt)
    if (at >= 0) this.attempts.splice(at, 1)
  }

  /** True where a batch may rightly be in conflict: others say something else of an iteration of it. */
  mayConflict({ start, origins }: Attempt): boolean {
    return origins.some((origin, i) => {
      const known = this.known[start + i]
      if (known !== undefined) return known !== origin
      return this.attempts.some((other) => {
        const its = other.origins[start + i - other.start]
        return its !== undefined && its !== origin
      })
    })
  }

  /** A draw that was read. */
  see(iteration: number, origin: number): void {
    if (this.known[iteration] === undefined && !this.mayBe(iteration, origin)) {
      throw this.wrong(`draw ${iteration} is of batch ${origin}, which was not sent or was gone`)
    }
    this.learn(iteration, origin)
  }

  private mayBe(iteration: number, origin: number): boolean {
    return this.attempts.some(({ start, origins }) => origins[iteration - start] === origin)
  }

  private learn(iteration: number, origin: number): void {
    const known = this.known[iteration]
    if (known !== undefined && known !== origin) {
      throw this.wrong(`draw ${iteration} was of batch ${known}, and is of batch ${origin}`)
    }
    this.known[iteration] = origin
  }

  /** A length that was told; `least` is what was acknowledged when it was asked for. */
  tell(length: number, least: number): void {
    if (length < least) throw this.wrong(`${least} draws were acknowledged, and ${length} are there`)
    if (length > this.most) throw this.wrong(`${length} draws are there, and ${this.most} were sent`)
  }

  /** All draws were read: they are there for good, and consist of whole batches. */
  lookedAt(length: number): void {
    if (!this.isWhole(length)) throw this.wrong(`${length} draws are not those of whole batches behind ${this.length}`)
    this.length = Math.max(this.length, length)
  }

  private isWhole(length: number): boolean {
    const reached = new Set([this.length])
    for (let before = 0; before < reached.size; ) {
      before = reached.size
      for (const attempt of this.attempts) {
        const end = endOf(attempt)
        if (end > length || reached.has(end) || !this.isThere(attempt)) continue
        if ([...reached].some((at) => at >= attempt.start && at < end)) reached.add(end)
      }
    }
    return reached.has(length) || length < this.length
  }

  private isThere({ start, origins }: Attempt): boolean {
    return origins.every((origin, i) => this.known[start + i] === origin)
  }

  /** The process that knew of the batches has ended, and all that is left of them was read. */
  forgetAttempts(): void {
    this.attempts = []
  }

  private wrong(what: string): Violation {
    return new Violation(`${this.name}: ${what}`)
  }
}

export class RunModel {
  readonly rid: string
  readonly schema: Schema
  readonly meta: Uint8Array<ArrayBuffer>
  /** Absent until it is known. */
  registration: string | undefined
  /** `sent`: nobody knows whether it is there; `leaving`: nobody knows whether it is there still. */
  state: 'sent' | 'there' | 'leaving' | 'gone' = 'sent'
  readonly chains = new Map<number, ChainModel>()
  /** Chains whose creation has no answer yet. */
  readonly sentChains = new Set<number>()

  constructor(rid: string, schema: Schema, meta: Uint8Array<ArrayBuffer>) {
    this.rid = rid
    this.schema = schema
    this.meta = meta
  }

  chainOf(number: number): ChainModel {
    let chain = this.chains.get(number)
    if (chain === undefined) {
      chain = new ChainModel(`run "${this.rid}", chain ${number}`)
      this.chains.set(number, chain)
      this.sentChains.delete(number)
    }
    return chain
  }
}
