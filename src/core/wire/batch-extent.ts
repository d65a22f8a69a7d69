/** The iterations that an encoded DrawBatch holds, without a look at its columns. */
import { inTurns, STEP_SIZE, type Steps } from '../turn.ts'
import { BATCH } from './draw-batch-fields.ts'
import { VARINT, WireReader } from './protobuf.ts'

export interface Extent {
  readonly start: number
  readonly count: number
}

/** @throws McbError `invalid_protobuf` where the fields of the batch itself are malformed; its columns are not looked at */
export function readExtent(body: Uint8Array<ArrayBuffer>): Promise<Extent> {
  return inTurns(extentIn(body))
}

function* extentIn(body: Uint8Array<ArrayBuffer>): Steps<Extent> {
  const reader = new WireReader(body)
  let start = 0
  let count = 0
  for (let fields = 1; reader.next(); fields++) {
    if (fields % STEP_SIZE === 0) yield
    const { field, type } = reader
    if (field === BATCH.start && type === VARINT) start = reader.varint()
    else if (field === BATCH.count && type === VARINT) count = reader.uint32()
    else reader.skip()
  }
  return { start, count }
}
