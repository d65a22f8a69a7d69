/** Object headers of HDF5 and the messages in them, which say what a group or a variable is. */

import { type HeaderBytes, UNDEFINED_ADDRESS } from './header-bytes.ts'
import { lookup3 } from './lookup3.ts'
import { type Encoded, spaceSize, writeSpace } from './types.ts'

const DATASPACE = 0x01
const LINK_INFO = 0x02
const DATATYPE = 0x03
const FILL_VALUE = 0x05
const LINK = 0x06
const LAYOUT = 0x08
const GROUP_INFO = 0x0a
const ATTRIBUTE = 0x0c

/** A message that never changes. */
const CONSTANT = 1

/** Bytes that a message may have. */
export const MESSAGE_BYTES = 65_535

/** Object headers, whose checksums are made when all addresses are known. */
export class ObjectHeaders {
  readonly to: HeaderBytes
  private readonly parts: { readonly from: number; readonly end: number }[] = []

  constructor(to: HeaderBytes) {
    this.to = to
  }

  /** Writes an object header, and tells its address. */
  object(messages: () => void): number {
    const { to } = this
    to.align()
    const from = to.length
    // Version 2, with the size of its messages in four bytes.
    to.u8(0x4f, 0x48, 0x44, 0x52, 2, 2)
    to.u32(0)
    const begin = to.length
    messages()
    to.setU32(begin - 4, to.length - begin)
    this.checked(from)
    return from
  }

  /** Leaves room for the checksum of all that was written since. */
  checked(from: number): void {
    this.parts.push({ from, end: this.to.length })
    this.to.u32(0)
  }

  /** Makes the checksums. */
  seal(): void {
    const { bytes } = this.to
    for (const { from, end } of this.parts) this.to.setU32(end, lookup3(bytes.subarray(from, end)))
  }

  private message(type: number, flags: number, data: () => void): void {
    const { to } = this
    to.u8(type, 0, 0, flags)
    const begin = to.length
    data()
    const length = to.length - begin
    if (length > MESSAGE_BYTES) throw new RangeError(`a message of ${length} bytes`)
    to.setU16(begin - 3, length)
  }

  /** Messages that make an object a group of so many links, whose order is kept. */
  group(links: number): void {
    const { to } = this
    this.message(LINK_INFO, 0, () => {
      to.u8(0, 1)
      to.u64(links)
      to.u64(UNDEFINED_ADDRESS)
      to.u64(UNDEFINED_ADDRESS)
    })
    this.message(GROUP_INFO, 0, () => to.u8(0, 0))
  }

  /** A hard link, by its place in the order. */
  link(name: string, order: number, address: number): void {
    const { to } = this
    this.message(LINK, 0, () => {
      // Version 1; there are an order, a character set, which is UTF-8, and two bytes for the length of the name.
      to.u8(1, 0x15)
      to.u64(order)
      to.u8(1)
      const at = to.length
      to.u16(0)
      to.setU16(at, to.text(name))
      to.u64(address)
    })
  }

  /** Messages that make an object a variable; tells the place of the address of its data. */
  dataset(type: Encoded, shape: readonly number[], bytes: number): number {
    const { to } = this
    this.message(DATASPACE, 0, () => writeSpace(to, shape))
    this.message(DATATYPE, CONSTANT, () => to.raw(type))
    // Version 3: room is taken early, and filled only if a value is given.
    this.message(FILL_VALUE, CONSTANT, () => to.u8(3, 0x09))
    let place = 0
    this.message(LAYOUT, 0, () => {
      // Version 3, in one piece.
      to.u8(3, 1)
      place = to.length
      to.u64(UNDEFINED_ADDRESS)
      to.u64(bytes)
    })
    return place
  }

  attribute(name: string, type: Encoded, shape: readonly number[], data: () => void): void {
    const { to } = this
    this.message(ATTRIBUTE, 0, () => {
      to.u8(3, 0)
      const at = to.length
      to.u16(0)
      to.u16(type.length)
      to.u16(spaceSize(shape.length))
      to.u8(1)
      to.setU16(at, to.text(name) + 1)
      to.u8(0)
      to.raw(type)
      writeSpace(to, shape)
      data()
    })
  }
}
