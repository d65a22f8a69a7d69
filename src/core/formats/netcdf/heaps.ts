/** Global heaps: collections of objects of any length, numbered from 1, of which HDF5 reads each as a whole. */

import type { HeaderBytes } from './header-bytes.ts'

export const COLLECTION_HEAD = 16
export const OBJECT_HEAD = 16
/** Bytes that readers take for granted. */
const LEAST_COLLECTION = 4096
/** The space behind the last object is an object as well, of number 0. */
const FREE_HEAD = 16

/** Objects and bytes at which a collection is full. */
export const FULL_OBJECTS = 8192
export const FULL_BYTES = 512 * 1024

/** The place of an object. */
export interface Reference {
  readonly length: number
  /** Address of the collection. */
  readonly address: number
  readonly index: number
}

/** Bytes of an object of some length in its collection. */
export function objectSize(length: number): number {
  return OBJECT_HEAD + length + (-length & 7)
}

/** Bytes of a collection whose objects take so many. */
export function collectionSize(objects: number): number {
  return Math.max(LEAST_COLLECTION, COLLECTION_HEAD + objects + FREE_HEAD)
}

export function setCollectionHead(view: DataView, at: number, size: number): void {
  view.setUint32(at, 0x4c4f4347, true) // GCOL
  view.setUint32(at + 4, 1, true)
  setLength(view, at + 8, size)
}

/** Head of an object; number 0 for the free space, whose length counts its head. */
export function setObjectHead(view: DataView, at: number, index: number, length: number): void {
  view.setUint32(at, index, true)
  view.setUint32(at + 4, 0, true)
  setLength(view, at + 8, length)
}

export function setReference(view: DataView, at: number, { length, address, index }: Reference): void {
  view.setUint32(at, length, true)
  setLength(view, at + 4, address)
  view.setUint32(at + 12, index, true)
}

function setLength(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

export function writeReference(to: HeaderBytes, { length, address, index }: Reference): void {
  to.u32(length)
  to.u64(address)
  to.u32(index)
}

/** Writes objects into collections, and tells the place of each. */
export function writeObjects(to: HeaderBytes, objects: readonly Uint8Array[]): Reference[] {
  const references: Reference[] = []
  for (let from = 0; from < objects.length; ) {
    let count = 0
    let bytes = 0
    while (from + count < objects.length && count < FULL_OBJECTS && (count === 0 || bytes < FULL_BYTES)) {
      bytes += objectSize(objects[from + count]?.length ?? 0)
      count++
    }
    references.push(...writeCollection(to, objects.slice(from, from + count), bytes))
    from += count
  }
  return references
}

function writeCollection(to: HeaderBytes, objects: readonly Uint8Array[], bytesOfObjects: number): Reference[] {
  to.align()
  const address = to.length
  const size = collectionSize(bytesOfObjects)
  const bytesOfHead = new Uint8Array(OBJECT_HEAD)
  const head = new DataView(bytesOfHead.buffer)
  setCollectionHead(head, 0, size)
  to.raw(bytesOfHead)
  const references = objects.map((object, i) => {
    setObjectHead(head, 0, i + 1, object.length)
    to.raw(bytesOfHead)
    to.raw(object)
    to.align()
    return { length: object.length, address, index: i + 1 }
  })
  const free = address + size - to.length
  setObjectHead(head, 0, 0, free)
  to.raw(bytesOfHead)
  to.zeros(free - FREE_HEAD)
  return references
}
