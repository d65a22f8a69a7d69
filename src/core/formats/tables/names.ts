/** Names of the columns of a table: `theta[1]`, or `theta[Choate]` by the labels of coordinates, and never one of them twice. */

import type { RigidColumn } from '../../draws/elements.ts'
import type { ElementNames } from '../../draws/labels.ts'
import { ID_COLUMNS } from './table.ts'

/** Names of elements by their index, from 1, or by the labels of coordinates. */
export const NAME_CHOICES = ['index', 'label'] as const
export type NameChoice = (typeof NAME_CHOICES)[number]

/** Names of all scalars of some columns, in C order. */
export function* scalarNames(
  columns: readonly RigidColumn[],
  elements: ElementNames,
  choice: NameChoice,
): Generator<string> {
  const unique = new UniqueNames(ID_COLUMNS)
  for (const spec of columns) {
    let element = 0
    for (const name of choice === 'index' ? indexedNames(spec) : labelledNames(spec, elements)) {
      yield unique.named(name, ++element)
    }
  }
}

function* labelledNames(spec: RigidColumn, elements: ElementNames): Generator<string> {
  for (let element = 0; element < spec.elements; element++) yield elements.of(spec, element).label
}

function* indexedNames({ name, shape, elements }: RigidColumn): Generator<string> {
  if (shape.length === 0) {
    yield name
    return
  }
  const index = shape.map(() => 1)
  for (let element = 0; element < elements; element++) {
    yield `${name}[${index.join()}]`
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1
      if (next <= (shape[axis] ?? 0)) {
        index[axis] = next
        break
      }
      index[axis] = 1
    }
  }
}

/**
 * Tells names apart: a stat that is called as a variable, two elements of one label. A digest of 53 bits is all that is
 * remembered of a name, so that a million of them take little room: two names with one digest would be told apart needlessly, and nothing else.
 */
export class UniqueNames {
  private digests = new Float64Array(1024)
  private used = 0

  constructor(taken: Iterable<string>) {
    for (const name of taken) this.add(digestOf(name))
  }

  /** The name; with a number behind it, of its element or the next that is free, where it was there before. */
  named(name: string, element: number): string {
    if (this.add(digestOf(name))) return name
    // Numbers beyond all elements are tried when that of the element is taken, each once for all names.
    for (let number = element; ; number = ++this.spare) {
      const other = `${name}.${number}`
      if (this.add(digestOf(other))) return other
    }
  }

  private spare = 2 ** 32

  /** False for a digest that was there. */
  private add(digest: number): boolean {
    if (this.used * 2 >= this.digests.length) this.grow()
    const slot = this.slotOf(digest)
    if (this.digests[slot] === digest) return false
    this.digests[slot] = digest
    this.used++
    return true
  }

  private slotOf(digest: number): number {
    const mask = this.digests.length - 1
    let slot = digest & mask
    while (this.digests[slot] !== 0 && this.digests[slot] !== digest) slot = (slot + 1) & mask
    return slot
  }

  private grow(): void {
    const before = this.digests
    this.digests = new Float64Array(2 * before.length)
    for (const digest of before) if (digest !== 0) this.digests[this.slotOf(digest)] = digest
  }
}

/** A digest of 53 bits, from two of 32, which is not 0 (cyrb53, https://github.com/bryc/code). */
function digestOf(text: string): number {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 2_654_435_761)
    b = Math.imul(b ^ unit, 1_597_334_677)
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909)
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909)
  return 4_294_967_296 * (2_097_151 & b) + (a >>> 0) || 1
}
