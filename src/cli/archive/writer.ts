/** Writes an archive record by record. */
import { Contents, type Extent, jsonBytes, type Origin } from './contents.ts'
import { archiveHead, KIND, type Kind, recordHead, sumBytes, sumOf } from './format.ts'

/** Takes bytes in order, and says when it may have more. */
export type Sink = (parts: readonly Uint8Array[]) => Promise<void>

export class ArchiveWriter {
  readonly contents: Contents
  private readonly sink: Sink
  private sum: number

  /** @param from the records that are there already, and the sum behind them */
  constructor(
    sink: Sink,
    from: { readonly contents: Contents; readonly sum: number } = { contents: new Contents(), sum: 0 },
  ) {
    this.sink = sink
    this.contents = from.contents
    this.sum = from.sum
  }

  async begin(origin: Origin): Promise<void> {
    const { bytes, sum } = archiveHead()
    this.sum = sum
    await this.sink([bytes])
    await this.record(KIND.origin, jsonBytes(origin))
  }

  /** @param of the chain, and the draws of it, of a record of draws */
  async record(kind: Kind, payload: Uint8Array, of?: Extent & { readonly chain: number }): Promise<void> {
    const head = { kind, chain: of?.chain ?? 0, length: payload.length }
    this.contents.take(head, payload, of)
    const begin = recordHead(head, this.sum)
    this.sum = sumOf(payload, begin.sum)
    await this.sink([begin.bytes, payload, sumBytes(this.sum)])
  }

  /** The end mark. @throws CliError when draws are missing */
  async end(): Promise<void> {
    await this.record(KIND.end, jsonBytes(this.contents.end()))
  }
}
