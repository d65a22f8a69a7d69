/** The records of JSON in an archive, and the rule by which records follow each other. */
import * as v from 'valibot'
import { isObject, type JsonObject, parseJson } from '../../core/json.ts'
import { isChainNumber, isRunId } from '../../core/wire/run-meta.ts'
import { CliError } from '../cli-error.ts'
import { KIND, nameOf, type RecordHead } from './format.ts'

const lengthSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const chainSchema = v.object({ chain: v.pipe(v.number(), v.check(isChainNumber)), length: lengthSchema })
const originSchema = v.object({
  rid: v.pipe(v.string(), v.check(isRunId)),
  registration: v.string(),
  createdAt: v.nullable(v.string()),
  exportedAt: v.string(),
  writer: v.string(),
  chains: v.array(chainSchema),
})
const endSchema = v.object({ records: lengthSchema, draws: lengthSchema })

/** The first record: the run, and the lengths of its chains at the moment that the archive holds. */
export type Origin = v.InferOutput<typeof originSchema>
/** The last record: the number of records before it, and of the draws in them. */
export type End = v.InferOutput<typeof endSchema>

export interface Extent {
  readonly start: number
  readonly count: number
}

export function jsonBytes(value: Origin | End): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

/** JSON of a record. Its sum was right: something else than an export has written it. @throws CliError */
function parsed<T>(schema: v.GenericSchema<unknown, T>, payload: Uint8Array, what: string): T {
  const result = v.safeParse(schema, objectIn(payload, what))
  if (result.success) return result.output
  throw new CliError(`${what} of the archive lacks a member, or has one that is not valid`)
}

export function objectIn(payload: Uint8Array, what: string): JsonObject {
  try {
    const value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(payload))
    if (isObject(value)) return value
  } catch {
    // Told below.
  }
  throw new CliError(`${what} of the archive is not JSON`)
}

/** Records in their order: origin, metadata, perhaps about, draws, the end. Each chain's draws come without a gap. */
export class Contents {
  private given: Origin | undefined
  /** Kind of the last record; 0 before the first. */
  last = 0
  private records = 0
  private draws = 0
  private readonly lengths = new Map<number, number>()
  /** Index of the next draw of each chain. */
  readonly next = new Map<number, number>()

  get origin(): Origin {
    if (this.given === undefined) throw new CliError('the archive does not begin with its origin')
    return this.given
  }

  get isWhole(): boolean {
    return this.last === KIND.end
  }

  get count(): number {
    return this.records
  }

  /** Takes the next record. `extent` is that of a record of draws. @throws CliError */
  take(head: RecordHead, payload: Uint8Array, extent?: Extent): void {
    const { kind } = head
    const mayFollow: readonly number[] = FOLLOWERS[this.last] ?? []
    if (!mayFollow.includes(kind)) throw this.wrong(head, 'does not belong there')
    if (kind === KIND.origin) this.begin(parsed(originSchema, payload, 'the origin'))
    if (kind === KIND.draws) this.takeDraws(head, extent ?? { start: 0, count: 0 })
    if (kind === KIND.end) this.takeEnd(parsed(endSchema, payload, 'the end'))
    this.last = kind
    this.records++
  }

  /** The end of what was taken. @throws CliError when draws are missing */
  end(): End {
    for (const [chain, length] of this.lengths) {
      const next = this.next.get(chain) ?? 0
      if (next !== length) throw new CliError(`the archive has ${next} of ${length} draws of chain ${chain}`)
    }
    return { records: this.records, draws: this.draws }
  }

  private begin(origin: Origin): void {
    this.given = origin
    for (const { chain, length } of origin.chains) {
      if (this.lengths.has(chain)) throw new CliError(`the origin of the archive has chain ${chain} twice`)
      this.lengths.set(chain, length)
      this.next.set(chain, 0)
    }
  }

  private takeDraws(head: RecordHead, { start, count }: Extent): void {
    const next = this.next.get(head.chain)
    if (next === undefined) throw this.wrong(head, 'is of a chain that the origin does not have')
    if (start !== next || count === 0) throw this.wrong(head, `begins at draw ${start} instead of ${next}`)
    if (start + count > (this.lengths.get(head.chain) ?? 0)) throw this.wrong(head, 'goes beyond the end of the chain')
    this.next.set(head.chain, start + count)
    this.draws += count
  }

  private takeEnd(told: End): void {
    const { records, draws } = this.end()
    if (told.records !== records || told.draws !== draws) {
      throw new CliError(
        `the end of the archive tells of ${told.records} records and ${told.draws} draws, not of ${records} and ${draws}`,
      )
    }
  }

  private wrong(head: RecordHead, why: string): CliError {
    return new CliError(`record ${this.records} of the archive (${nameOf(head)}) ${why}`)
  }
}

const FOLLOWERS: Readonly<Record<number, readonly number[]>> = {
  0: [KIND.origin],
  [KIND.origin]: [KIND.metadata],
  [KIND.metadata]: [KIND.about, KIND.draws, KIND.end],
  [KIND.about]: [KIND.draws, KIND.end],
  [KIND.draws]: [KIND.draws, KIND.end],
}
