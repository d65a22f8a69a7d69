/**
 * The conformance suite: duties of every backend, written against the three interfaces alone.
 *
 * It knows no platform, so that the same tests run on Node, inside workerd, and on a client in front of a server.
 *
 * @example
 * conformance({ name: 'memory', keepsDraws: true, open: async () => { … } })
 */
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Backend, Chain, Run } from '../../src/core/interfaces.ts'
import type { Store } from '../../src/core/store.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { testUnless } from '../support/skip.ts'
import { type Column, Content, type VariableSpec } from './columns.ts'

/** A backend that was opened for a test. */
export interface Opened {
  readonly backend: Backend
  /** Another way to the same storage: with caches of its own, or as a second client. */
  readonly other: Backend
  /** The store behind a backend that is none of a store itself. */
  readonly store?: Store
  /** Waits until the draws that `append` has buffered are stored; for backends that buffer. */
  flush?(chain: Chain): Promise<void>
  /** Rows of all kinds that the storage holds. */
  countRows?(): Promise<number>
  close(): Promise<void>
}

/** The reason that tests which read draws are not for every backend. */
export const NO_DRAWS = 'this backend keeps no draws'

/** A backend under test. */
export interface Subject {
  readonly name: string
  /** False for a backend that forgets draws; the tests that read are left out then, and say so. */
  readonly keepsDraws: boolean
  /** Topics that say nothing here which they do not say elsewhere, and why. */
  readonly leftOut?: { readonly topics: readonly string[]; readonly why: string }
  /** Stride through tables of cases that differ in nothing but dtype, shape or value; 1 when absent: all of them. */
  readonly every?: number
  /** Factor for numbers of rounds and batches, where each call is expensive; 1 when absent. */
  readonly scale?: number
  /**
   * Things that the backend does not tell or cannot hold, and why; such are named in conformance/drivers/README.md. Tests go without
   * them where they can.
   */
  readonly lacks?: ReadonlyMap<string, string>
  /** Beginning of the ids of runs, for a storage that has runs of others. */
  readonly prefix?: string
  /** A test of all that the others have left, after them. */
  readonly last?: LastTest
  open(): Promise<Opened>
}

export interface LastTest {
  readonly name: string
  /** The most that it may take, in milliseconds: it grows with the suite. */
  readonly timeout: number
  run(): Promise<void>
}

export type { VariableSpec } from './columns.ts'

/** The subject of the tests of a topic, and what they need of it. */
export class Suite {
  readonly keepsDraws: boolean
  private readonly subject: Subject
  private opened: Opened | undefined
  private runs = 0

  constructor(subject: Subject) {
    this.subject = subject
    this.keepsDraws = subject.keepsDraws
  }

  async open(): Promise<void> {
    this.opened = await this.subject.open()
  }

  async close(): Promise<void> {
    await this.opened?.close()
  }

  private get present(): Opened {
    if (this.opened === undefined) throw new Error('the backend is not open yet')
    return this.opened
  }

  get backend(): Backend {
    return this.present.backend
  }

  get other(): Backend {
    return this.present.other
  }

  /** The store behind the backend: a server computes figures by itself, and no interface takes them. */
  get store(): Store {
    const { store, backend } = this.present
    if (store !== undefined) return store
    if (backend instanceof StoreBackend) return backend.store
    throw new Error('the store behind the backend is not known')
  }

  /** A number of rounds as this backend can afford it, at least `least`. */
  rounds(number: number, least = 1): number {
    return Math.max(least, Math.round(number * (this.subject.scale ?? 1)))
  }

  /** Cases that this backend can afford of those that differ in nothing but their values, spread over all. */
  cases<T>(all: readonly T[]): T[] {
    return all.filter((_, i) => i % (this.subject.every ?? 1) === 0)
  }

  /** True unless the backend lacks this: it is looked at only then. */
  tells(capability: string): boolean {
    return this.subject.lacks?.has(capability) !== true
  }

  /** An error with this code, and with these fields where the backend gives others than the length of a chain. */
  refusal(code: string, fields: object): object {
    return this.tells('fields') ? { code, fields } : { code }
  }

  /** Invented draws, without such values as the backend cannot hold. */
  content(seed: number, columns: readonly Column[]): Content {
    return new Content(seed, columns, this.subject.lacks)
  }

  /** An id that no other test uses. */
  newRid(): string {
    return `${this.subject.prefix ?? 'conformance'}-${++this.runs}`
  }

  newRun(variables: VariableSpec[], sampleStats: VariableSpec[] = []): Promise<Run> {
    return this.backend.initRun({ rid: this.newRid(), variables, sampleStats })
  }

  /** Chain 0 of a new run. */
  async newChain(variables: VariableSpec[], sampleStats: VariableSpec[] = []): Promise<Chain> {
    const run = await this.newRun(variables, sampleStats)
    return run.initChain(0)
  }

  /** The same chain, seen through the other door. */
  async otherChain(chain: Chain): Promise<Chain> {
    const run = await this.other.getRun(chain.rid)
    const found = await run?.getChain(chain.number)
    if (found === undefined) throw new Error(`chain ${chain.number} of run "${chain.rid}" is not seen from elsewhere`)
    return found
  }

  async flush(chain: Chain): Promise<void> {
    await this.present.flush?.(chain)
  }

  /** Rows in the storage; undefined where they cannot be counted. */
  async countRows(): Promise<number | undefined> {
    return this.present.countRows?.()
  }
}

/** Tests of one subject matter. */
export interface Topic {
  readonly name: string
  /** True for tests that read draws back. */
  readonly reads: boolean
  define(suite: Suite): void
}

/** Declares the tests of `topics` for a backend. */
export function conformanceOf(subject: Subject, topics: readonly Topic[]): void {
  describe(`${subject.name}`, () => {
    const suite = new Suite(subject)
    beforeAll(() => suite.open())
    afterAll(() => suite.close())
    const { every = 1 } = subject
    if (every > 1)
      testUnless('each is slow here')(
        `of tables of dtypes, shapes and values, other cases than one in ${every}`,
        nothing,
      )
    for (const topic of topics) {
      const why = reasonToSkip(subject, topic)
      if (why !== undefined) testUnless(why)(topic.name, nothing)
      else describe(topic.name, () => topic.define(suite))
    }
    if (subject.last !== undefined) test(subject.last.name, subject.last.run, subject.last.timeout)
  })
}

const nothing = () => {}

function reasonToSkip({ keepsDraws, leftOut }: Subject, { reads, name }: Topic): string | undefined {
  if (reads && !keepsDraws) return NO_DRAWS
  return leftOut?.topics.includes(name) ? leftOut.why : undefined
}
