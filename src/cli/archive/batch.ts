/** An answer to a read as the batch that can be appended: the same bytes without the field `step`, which no batch may have. */
import { BATCH } from '../../core/wire/draw-batch-fields.ts'
import { VARINT, WireReader } from '../../core/wire/protobuf.ts'
import type { Extent } from './contents.ts'

export interface Batch extends Extent {
  readonly bytes: Uint8Array<ArrayBuffer>
}

/**
 * The batch of an answer whose step is 1. The bytes in front of the field are moved behind it in place: a server writes it
 * before the columns, and an answer may have any size.
 *
 * @throws McbError `invalid_protobuf`
 */
export function batchOf(answer: Uint8Array<ArrayBuffer>): Batch {
  let bytes = answer
  let [start, count] = [0, 0]
  const reader = new WireReader(answer)
  for (let begin = 0; reader.next(); begin = reader.position) {
    const { field, type } = reader
    if (field === BATCH.start && type === VARINT) start = reader.varint()
    else if (field === BATCH.count && type === VARINT) count = reader.uint32()
    else reader.skip()
    if (field !== BATCH.step || type !== VARINT) continue
    const from = answer.length - bytes.length
    const removed = reader.position - begin
    answer.copyWithin(from + removed, from, begin)
    bytes = answer.subarray(from + removed)
  }
  return { start, count, bytes }
}
