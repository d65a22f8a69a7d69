/** Reads an archive record by record, and verifies each before it is given. */

import { isMcbError } from '../../core/errors.ts'
import { readExtent } from '../../core/wire/batch-extent.ts'
import { CliError } from '../cli-error.ts'
import { Contents, type Extent } from './contents.ts'
import {
  HEAD_BYTES,
  KIND,
  MAGIC,
  MAX_PAYLOAD,
  nameOf,
  RECORD_BYTES,
  type RecordHead,
  SUM_BYTES,
  sumOf,
  VERSION,
} from './format.ts'
import type { Source } from './source.ts'

export interface ArchiveRecord {
  readonly head: RecordHead
  readonly payload: Uint8Array<ArrayBuffer>
  /** Draws of a record of draws. */
  readonly extent: Extent | undefined
}

/** The archive ends before its end mark, or is damaged: all before `end` is right. */
export class BrokenArchive extends CliError {}

export class ArchiveReader {
  readonly contents = new Contents()
  private readonly source: Source
  private readonly scratch: boolean
  private sum = 0
  /** Bytes up to the end of the last record that was right. */
  private bytes = 0
  private buffer = new Uint8Array()

  /** @param options.reuse gives each payload in the memory of the one before: for those that look at it at once */
  constructor(source: Source, options: { readonly reuse: boolean } = { reuse: false }) {
    this.source = source
    this.scratch = options.reuse
  }

  /** Bytes of the archive that were read and are right. */
  get end(): number {
    return this.bytes
  }

  /** Sum behind the last record that was right. */
  get lastSum(): number {
    return this.sum
  }

  /** @throws CliError when the bytes are no archive, or one of a later version */
  async begin(): Promise<void> {
    const head = new Uint8Array(HEAD_BYTES + SUM_BYTES)
    const got = await this.source.read(head)
    if (!MAGIC.every((byte, i) => i >= got || head[i] === byte)) {
      throw new CliError('this is no archive of a run: its first bytes are others')
    }
    if (got < head.length) throw new BrokenArchive('the archive is cut off in its head')
    const sum = sumOf(head.subarray(0, HEAD_BYTES), 0)
    if (uint32(head, HEAD_BYTES) !== sum)
      throw new BrokenArchive('the head of the archive is damaged: its checksum does not match')
    const version = uint32(head, MAGIC.length)
    if (version !== VERSION)
      throw new CliError(`the archive has version ${version}; this mcb knows ${VERSION}: use a newer one`)
    this.sum = sum
    this.bytes = head.length
  }

  /** The next record; undefined behind the last one. @throws CliError */
  async next(): Promise<ArchiveRecord | undefined> {
    const { contents } = this
    const begin = await this.bytesOf(RECORD_BYTES + SUM_BYTES)
    if (contents.isWhole) {
      if (begin === undefined) return undefined
      throw new BrokenArchive('there is more behind the end of the archive')
    }
    if (begin === undefined) throw this.cut()
    const headSum = sumOf(begin.subarray(0, RECORD_BYTES), this.sum)
    const head = { kind: uint32(begin, 0), chain: uint32(begin, 4), length: uint32(begin, 8) }
    if (uint32(begin, RECORD_BYTES) !== headSum) throw this.damaged('the head')
    if (head.length > MAX_PAYLOAD) throw this.damaged('the length', head)
    const payload = await this.payloadOf(head)
    const sum = sumOf(payload, headSum)
    const told = await this.bytesOf(SUM_BYTES)
    if (told === undefined) throw this.cut(head)
    if (uint32(told, 0) !== sum) throw this.damaged('the content', head)
    const extent = head.kind === KIND.draws ? await this.extentOf(head, payload) : undefined
    contents.take(head, payload, extent)
    this.sum = sum
    this.bytes += begin.length + payload.length + told.length
    return { head, payload, extent }
  }

  private async extentOf(head: RecordHead, payload: Uint8Array<ArrayBuffer>): Promise<Extent> {
    try {
      return await readExtent(payload)
    } catch (error) {
      if (isMcbError(error, 'invalid_protobuf'))
        throw new CliError(`record ${this.contents.count} of the archive (${nameOf(head)}) holds no DrawBatch`)
      throw error
    }
  }

  /** The payload, for which no memory is taken where the file has fewer bytes. */
  private async payloadOf(head: RecordHead): Promise<Uint8Array<ArrayBuffer>> {
    const { left } = this.source
    if (left !== undefined && left < head.length) throw this.cut(head)
    const payload = this.memory(head.length)
    if ((await this.source.read(payload)) < head.length) throw this.cut(head)
    return payload
  }

  private memory(length: number): Uint8Array<ArrayBuffer> {
    if (!this.scratch) return new Uint8Array(length)
    if (this.buffer.length < length) this.buffer = new Uint8Array(length)
    return this.buffer.subarray(0, length)
  }

  /** So many bytes; undefined where there are fewer. */
  private async bytesOf(count: number): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(count)
    const got = await this.source.read(bytes)
    if (got === count) return bytes
    // Behind the end, a byte is one too many.
    return got > 0 && this.contents.isWhole ? bytes.subarray(0, got) : undefined
  }

  private cut(head?: RecordHead): BrokenArchive {
    const { count } = this.contents
    const what = head === undefined ? '' : ` (${nameOf(head)})`
    return new BrokenArchive(
      `the archive is cut off in record ${count}${what}: it ends without its end mark, ${this.bytes} bytes are whole`,
    )
  }

  private damaged(part: string, head?: RecordHead): BrokenArchive {
    const what = head === undefined ? '' : ` (${nameOf(head)})`
    return new BrokenArchive(
      `record ${this.contents.count} of the archive${what}, at byte ${this.bytes}, is damaged: the checksum of ${part} does not match`,
    )
  }
}

function uint32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true)
}
