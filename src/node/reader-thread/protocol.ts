/** Messages between those who read and the thread that reads large parts for them. */
import { concatBytes } from '../../core/wire/protobuf.ts'
import type { Bytes } from '../../objects/objects.ts'
import type { Part, PartsRead } from '../../objects/parts.ts'

/** Parts, packed: a message with many small arrays takes longer than the parts. */
export interface PartsQuestion {
  readonly id: number
  readonly keys: readonly string[]
  /** For each part its place, its length, and the bytes of its checksums. */
  readonly numbers: Float64Array<ArrayBuffer>
  readonly sums: Bytes
}

export type PartsAnswer = { readonly id: number } & (PartsRead | { readonly failure: string })

const NUMBERS = 3

export function packParts(id: number, parts: readonly Part[]): PartsQuestion {
  return {
    id,
    keys: parts.map(({ key }) => key),
    numbers: Float64Array.from(parts.flatMap(({ at, length, sums }) => [at, length, sums.length])),
    sums: concatBytes(parts.map(({ sums }) => sums)),
  }
}

export function unpackParts({ keys, numbers, sums }: PartsQuestion): Part[] {
  let end = 0
  return keys.map((key, i) => {
    const [at = 0, length = 0, size = 0] = numbers.subarray(i * NUMBERS, (i + 1) * NUMBERS)
    end += size
    return { key, at, length, sums: sums.subarray(end - size, end) }
  })
}
