/**
 * The layout of a tree as a netCDF-4 file, which is HDF5: a head of groups, variables and attributes, and behind it their data
 * in one piece each. Places and sizes are all known before a number is read; only texts are gone through for their lengths.
 *
 * https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html#netcdf_4_spec
 */

import { bytesOf, ITEM_SIZE } from '../../draws/dtype.ts'
import { sizeOf } from '../../draws/ndarray.ts'
import type { Bytes } from '../../draws/segment.ts'
import type { Counted, Drawn, Given, Group, Tree, TreeVariable } from '../../inference/tree.ts'
import { Pace, turn } from '../../turn.ts'
import { heapTexts, type PreparedAttribute, prepared, writeAttributes } from './attributes.ts'
import { HeaderBytes, UNDEFINED_ADDRESS } from './header-bytes.ts'
import { type Reference, writeObjects, writeReference } from './heaps.ts'
import { ObjectHeaders } from './messages.ts'
import type { DrawSource } from './source.ts'
import { planTexts, type TextPlan, type TextVariable } from './texts.ts'
import { endedText, FLOAT32, INT32, OBJECTS, REFERENCE_BYTES, typeOf } from './types.ts'

export interface Layout {
  readonly header: Bytes
  /** Data behind the header, in rising order; up to seven zeros lie between two. */
  readonly segments: readonly Segment[]
  /** Bytes of the file. */
  readonly size: number
}

export type Segment = Placed &
  (
    | { readonly kind: 'drawn'; readonly variable: Drawn }
    | { readonly kind: 'known'; readonly variable: Given | Counted }
    | { readonly kind: 'references' | 'heaps'; readonly variable: TextVariable; readonly plan: TextPlan }
  )

interface Placed {
  readonly offset: number
  readonly length: number
}

const SUPERBLOCK_BYTES = 48
/** Signature, version 2, addresses and lengths of eight bytes. */
const SUPERBLOCK = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 2, 8, 8, 0]
/** Variables between two turns of the event loop. */
const VARIABLES_PER_TURN = 500

const encoder = new TextEncoder()

/** Data that wait for their place, and where in the header that is told. */
interface Waiting {
  readonly place: number
  readonly variable: TreeVariable
}

/** An axis of a group. */
interface Dimension {
  readonly name: string
  readonly size: number
  readonly id: number
}

/** A variable with what its header is made of. */
interface Prepared {
  readonly variable: TreeVariable
  readonly attributes: readonly PreparedAttribute[]
}

/** Lays out a tree. Texts are the only draws that are read. */
export async function layOut(tree: Tree, source: DrawSource): Promise<Layout> {
  const head = new Head()
  const groups: { readonly name: string; readonly address: number }[] = []
  for (const group of tree.groups) groups.push({ name: group.name, address: await head.group(group) })
  const root = head.root(prepared(tree.attributes), groups)
  const { segments, end } = await placed(head, source)
  head.finish(root, end)
  return { header: head.to.bytes.slice(), segments, size: end }
}

/** Bytes of a variable's data in one piece; texts have references there. */
function bytesOfVariable({ dtype, shape }: TreeVariable): number {
  return sizeOf(shape) * (dtype === 'str' ? REFERENCE_BYTES : ITEM_SIZE[dtype])
}

class Head {
  readonly to = new HeaderBytes()
  readonly waiting: Waiting[] = []
  private readonly headers = new ObjectHeaders(this.to)
  private readonly pace = new Pace(VARIABLES_PER_TURN)
  private dimensions = 0

  constructor() {
    this.to.zeros(SUPERBLOCK_BYTES)
  }

  /** Writes a group's variables, then the group, and tells its address. */
  async group({ attributes, variables }: Group): Promise<number> {
    const dims = this.dimensionsOf(variables)
    const all = variables.map((variable) => ({ variable, attributes: attributesOf(variable) }))
    const own = prepared(attributes)
    const scales = all.filter(({ variable }) => isScale(variable))
    const others = all.filter(({ variable }) => !isScale(variable))
    const places = this.texts([...scales, ...others, { attributes: own }])
    const addresses = new Map<string, number>()
    for (const scale of scales) {
      if (this.pace.isDue(1)) await turn()
      const dim = dims.get(scale.variable.name)
      addresses.set(
        scale.variable.name,
        this.variable(scale, places, () => dim && this.scale(dim.name, dim.id)),
      )
    }
    for (const dim of dims.values()) {
      if (!addresses.has(dim.name)) addresses.set(dim.name, this.bareDimension(dim))
    }
    const references = this.references([...dims.keys()].map((name) => addresses.get(name) ?? 0))
    const byName = new Map([...dims.keys()].map((name, i) => [name, references[i]]))
    for (const other of others) {
      if (this.pace.isDue(1)) await turn()
      const axes = other.variable.dims.flatMap((name) => byName.get(name) ?? [])
      addresses.set(
        other.variable.name,
        this.variable(other, places, () => this.axes(axes)),
      )
    }
    const names = new Set([...variables.map(({ name }) => name), ...dims.keys()])
    return this.links(
      [...names].map((name) => ({ name, address: addresses.get(name) ?? UNDEFINED_ADDRESS })),
      own,
      places,
    )
  }

  root(
    attributes: readonly PreparedAttribute[],
    groups: readonly { readonly name: string; readonly address: number }[],
  ): number {
    return this.links(groups, attributes, this.texts([{ attributes }]))
  }

  /** Tells the superblock where the root is and where the file ends, and makes the checksums. */
  finish(root: number, end: number): void {
    const { to } = this
    const block = new HeaderBytes()
    block.u8(...SUPERBLOCK)
    block.u64(0)
    block.u64(UNDEFINED_ADDRESS)
    block.u64(end)
    block.u64(root)
    const headers = new ObjectHeaders(block)
    headers.checked(0)
    headers.seal()
    to.bytes.set(block.bytes)
    this.headers.seal()
  }

  private dimensionsOf(variables: readonly TreeVariable[]): ReadonlyMap<string, Dimension> {
    const dims = new Map<string, Dimension>()
    for (const { dims: names, shape } of variables) {
      names.forEach((name, axis) => {
        if (!dims.has(name)) dims.set(name, { name, size: shape[axis] ?? 0, id: this.dimensions++ })
      })
    }
    return dims
  }

  /** The texts of attributes in a heap. */
  private texts(of: readonly { readonly attributes: readonly PreparedAttribute[] }[]): Iterator<Reference> {
    return writeObjects(
      this.to,
      of.flatMap(({ attributes }) => heapTexts(attributes)),
    ).values()
  }

  /** References to the scales of dimensions, in heaps: variables point at them. */
  private references(addresses: readonly number[]): Reference[] {
    const bytes = bytesOf(BigUint64Array.from(addresses, BigInt))
    return writeObjects(
      this.to,
      addresses.map((_, i) => bytes.subarray(8 * i, 8 * i + 8)),
    )
  }

  private variable({ variable, attributes }: Prepared, places: Iterator<Reference>, more: () => void): number {
    const bytes = bytesOfVariable(variable)
    return this.headers.object(() => {
      const place = this.headers.dataset(typeOf(variable.dtype), variable.shape, bytes)
      if (bytes > 0) this.waiting.push({ place, variable })
      writeAttributes(this.headers, attributes, places)
      more()
    })
  }

  /** Marks a variable as the scale of a dimension. */
  private scale(name: string, id: number): void {
    this.mark('CLASS', 'DIMENSION_SCALE')
    this.mark('NAME', name)
    this.headers.attribute('_Netcdf4Dimid', INT32, [], () => this.to.u32(id))
  }

  /** A dimension without a variable, as netCDF writes one: a scale without data, whose name says so. */
  private bareDimension({ size, id }: Dimension): number {
    return this.headers.object(() => {
      this.headers.dataset(FLOAT32, [size], size * ITEM_SIZE.float32)
      this.scale(`This is a netCDF dimension but not a netCDF variable.${String(size).padStart(10)}`, id)
    })
  }

  private axes(references: readonly Reference[]): void {
    if (references.length === 0) return
    this.headers.attribute('DIMENSION_LIST', OBJECTS, [references.length], () => {
      // One object, whatever the length of its bytes.
      for (const reference of references) writeReference(this.to, { ...reference, length: 1 })
    })
  }

  private links(
    links: readonly { readonly name: string; readonly address: number }[],
    attributes: readonly PreparedAttribute[],
    places: Iterator<Reference>,
  ): number {
    return this.headers.object(() => {
      this.headers.group(links.length)
      writeAttributes(this.headers, attributes, places)
      links.forEach(({ name, address }, order) => {
        this.headers.link(name, order, address)
      })
    })
  }

  private mark(name: string, text: string): void {
    const bytes = encoder.encode(`${text}\0`)
    this.headers.attribute(name, endedText(bytes.length), [], () => this.to.raw(bytes))
  }
}

function attributesOf({ dtype, attributes }: TreeVariable): PreparedAttribute[] {
  return prepared(dtype === 'bool' ? { ...attributes, dtype: 'bool' } : attributes)
}

/** True for a variable that is the coordinate of its one axis. */
function isScale({ name, dims }: TreeVariable): boolean {
  return dims.length === 1 && dims[0] === name
}

/** Gives all data their places behind the header, and tells the header of them. */
async function placed(
  { to, waiting }: Head,
  source: DrawSource,
): Promise<{ readonly segments: readonly Segment[]; readonly end: number }> {
  to.align()
  const segments: Segment[] = []
  let end = to.length
  const place = (segment: Segment) => {
    segments.push(segment)
    end += segment.length + (-segment.length & 7)
  }
  for (const { place: told, variable } of waiting) {
    const length = bytesOfVariable(variable)
    to.setU64(told, end)
    if (variable.kind === 'counted') place({ kind: 'known', variable, offset: end, length })
    else if (isText(variable)) {
      const plan = await planTexts(variable, source)
      place({ kind: 'references', variable, plan, offset: end, length })
      place({ kind: 'heaps', variable, plan, offset: end, length: plan.offsets.at(-1) ?? 0 })
    } else if (variable.kind === 'drawn') place({ kind: 'drawn', variable, offset: end, length })
    else place({ kind: 'known', variable, offset: end, length })
  }
  return { segments, end }
}

function isText(variable: Drawn | Given): variable is TextVariable {
  return variable.dtype === 'str'
}
