/**
 * Columns of a file as variables: `theta.1.2` is an element of `theta`, the first index runs fastest.
 *
 * In tuples `pair.1:2.3` is the second part of the first element of an array: the variable `pair:2` holds that part of all
 * elements, and its shape is the array's, then the part's own. Complex numbers make two variables, `z.real` and `z.imag`.
 * Tables that R and pandas write have `theta[1,2]`.
 */
import type { NumericDtype } from '../draws/dtype.ts'
import { sizeOf } from '../draws/ndarray.ts'
import type { Steps } from '../turn.ts'
import { StanError, shown } from './stan-error.ts'

/** A variable or a sampler stat, and the columns that hold it. */
export interface ColumnGroup {
  readonly name: string
  readonly dtype: NumericDtype
  readonly shape: readonly number[]
  /** Numbers of the columns, in C order of the shape. */
  readonly columns: Int32Array<ArrayBuffer>
}

/** Stats that are whole numbers or flags; Stan writes all columns as text. */
const STAT_DTYPES: ReadonlyMap<string, NumericDtype> = new Map([
  ['treedepth__', 'int64'],
  ['n_leapfrog__', 'int64'],
  ['divergent__', 'bool'],
  ['path__', 'int64'],
])

const INDICES = /^\d+(?:,\d+)*$/
const HALVES = ['.real', '.imag'] as const
/** Digits of an index, and characters of a name, at most. */
const MOST_DIGITS = 10
const MOST_CHARACTERS = 1000
/** Names that are gone through between two turns. */
const NAMES_A_TURN = 4096

/** True for the names that Stan keeps for itself, which no variable of a model can have. */
export function isStat(name: string): boolean {
  return name.endsWith('__')
}

/** A name taken apart: where it belongs, and its indices, which count from 1. */
interface Parsed {
  readonly root: string
  /** Numbers of its parts of tuples. */
  readonly parts: readonly number[]
  readonly index: readonly number[]
  readonly half: string
}

/** Goes backwards through a name, whose root may hold anything but is not empty. */
function parse(name: string): Parsed {
  const dotted = withoutBrackets(name)
  const half = HALVES.find((end) => dotted.length > end.length && dotted.endsWith(end)) ?? ''
  const parts: number[] = []
  const index: number[] = []
  let end = dotted.length - half.length
  for (;;) {
    let at = end
    while (at > 0 && isDigit(dotted.charCodeAt(at - 1))) at--
    const mark = dotted[at - 1]
    if (at === end || at < 2 || (mark !== '.' && mark !== ':')) break
    if (end - at > MOST_DIGITS) return { root: name, parts: [], index: [], half: '' }
    ;(mark === ':' ? parts : index).push(Number(dotted.slice(at, end)))
    end = at - 1
  }
  return { root: dotted.slice(0, end), parts: parts.reverse(), index: index.reverse(), half }
}

/** `theta[1,2]` as `theta.1.2`. */
function withoutBrackets(name: string): string {
  const open = name.endsWith(']') ? name.lastIndexOf('[') : -1
  const inner = name.slice(open + 1, -1)
  return open > 0 && INDICES.test(inner) ? `${name.slice(0, open)}.${inner.replaceAll(',', '.')}` : name
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** Columns of a variable while they are counted. */
class Growing {
  readonly name: string
  /** Order among all: by the first column of the root, then parts of tuples, then the half of a complex number. */
  readonly order: readonly number[]
  readonly shape: number[]
  columns = 0
  hasLow = false
  places: Int32Array<ArrayBuffer> = new Int32Array()

  constructor(name: string, order: readonly number[], dimensions: number) {
    this.name = name
    this.order = order
    this.shape = new Array<number>(dimensions).fill(0)
  }

  count(index: readonly number[]): void {
    if (index.length !== this.shape.length) {
      throw new StanError(`the columns of ${shown(this.name)} have different numbers of indices`)
    }
    this.columns++
    for (let axis = 0; axis < index.length; axis++) {
      const at = index[axis] ?? 0
      if (at < 1) this.hasLow = true
      this.shape[axis] = Math.max(this.shape[axis] ?? 0, at)
    }
  }

  /** Makes sure that the columns can make up an array. */
  settle(): void {
    const { name, shape, columns } = this
    if (shape.length > 0 && (sizeOf(shape) !== columns || this.hasLow)) {
      throw new StanError(
        `${shown(name)} has ${columns} columns, which do not make up an array of shape [${shape.join(', ')}]`,
      )
    }
    if (shape.length === 0 && columns > 1) throw new StanError(`column ${shown(name)} is there twice`)
    this.places = new Int32Array(columns).fill(-1)
  }

  place(name: string, index: readonly number[], column: number): void {
    let at = 0
    for (let axis = 0; axis < index.length; axis++) at = at * (this.shape[axis] ?? 0) + (index[axis] ?? 0) - 1
    if (this.places[at] !== -1) throw new StanError(`column ${shown(name)} is there twice`)
    this.places[at] = column
  }

  group(): ColumnGroup {
    const { name, shape, places } = this
    return { name, dtype: STAT_DTYPES.get(name) ?? 'float64', shape, columns: places }
  }
}

/**
 * Puts the columns of each variable together, in the order of first columns. Names are gone through twice, and none is kept: a
 * line may have millions.
 *
 * @param names gives the names anew
 * @param mostGroups variables and stats together
 * @throws StanError for a name that is there twice, and an array that lacks an element
 */
export function* groupColumns(names: () => Iterable<string>, mostGroups: number): Steps<ColumnGroup[]> {
  const groups = new Groups(mostGroups)
  let column = 0
  for (const name of names()) {
    groups.count(name, column)
    if (++column % NAMES_A_TURN === 0) yield
  }
  const all = groups.settled()
  column = 0
  for (const name of names()) {
    groups.place(name, column)
    if (++column % NAMES_A_TURN === 0) yield
  }
  return all.map((group) => group.group())
}

class Groups {
  private readonly groups = new Map<string, Growing>()
  /** First columns by root. */
  private readonly first = new Map<string, number>()
  private readonly most: number

  constructor(most: number) {
    this.most = most
  }

  count(name: string, column: number): void {
    if (name.length > MOST_CHARACTERS)
      throw new StanError(`column ${column + 1} has a name of ${name.length} characters`)
    const parsed = parse(name)
    const base = baseOf(parsed)
    const group = this.groups.get(base) ?? this.begin(base, parsed, column)
    group.count(parsed.index)
  }

  private begin(base: string, { root, parts, index, half }: Parsed, column: number): Growing {
    if (this.groups.size >= this.most) throw new StanError(`there are more than ${this.most} variables and stats`)
    const first = this.first.get(root) ?? column
    this.first.set(root, first)
    // Behind all numbers of parts, which are not negative.
    const last = ['', ...HALVES].indexOf(half) - 3
    const group = new Growing(base, [first, ...parts, last], index.length)
    this.groups.set(base, group)
    return group
  }

  /** The variables in their order, each of which makes up an array. */
  settled(): Growing[] {
    const all = [...this.groups.values()].sort((a, b) => compare(a.order, b.order))
    for (const group of all) group.settle()
    return all
  }

  place(name: string, column: number): void {
    const parsed = parse(name)
    this.groups.get(baseOf(parsed))?.place(name, parsed.index, column)
  }
}

function baseOf({ root, parts, half }: Pick<Parsed, 'root' | 'parts' | 'half'>): string {
  return `${root}${parts.map((part) => `:${part}`).join('')}${half}`
}

/** Lists of numbers, by the first that differs; one that goes on behind the other comes later. */
function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
