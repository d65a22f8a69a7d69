/** Metadata under another rid: the same bytes, but for the field that names it. */
import { concatBytes, fieldHead, LENGTH_DELIMITED, WireReader } from '../../core/wire/protobuf.ts'

/** Number of the field `rid` in RunMeta. */
const RID = 1

export function renamed(meta: Uint8Array<ArrayBuffer>, rid: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(rid)
  const field = concatBytes([fieldHead(RID, name.length), name])
  const reader = new WireReader(meta)
  const parts: Uint8Array[] = []
  let isNamed = false
  for (let start = 0; reader.next(); start = reader.position) {
    const isRid = reader.field === RID && reader.type === LENGTH_DELIMITED
    reader.skip()
    if (!isRid) parts.push(meta.subarray(start, reader.position))
    else if (!isNamed) parts.push(field)
    isNamed ||= isRid
  }
  return concatBytes(isNamed ? parts : [field, ...parts])
}
