/**
 * Names and labels of the axes of one group, such that they fit: no variable is lost to one that contradicts it.
 *
 * ArviZ's conventions: an axis without a name is called `theta_dim_0`, counted over the axes of `theta` without one.
 */

import type { Labels } from './labels.ts'
import { FreeNames, plainName } from './names.ts'

/** A variable as it was registered, without the axes of the draws. */
export interface Unfitted {
  readonly name: string
  readonly shape: readonly number[]
  /** Names of the axes; "" has none, and so have those that are missing. */
  readonly dims: readonly string[]
}

/** Name and axes of a variable in its group. */
export interface Fitted {
  readonly name: string
  readonly dims: readonly string[]
}

export interface Axes {
  /** In the order of the variables that were given. */
  readonly fitted: readonly Fitted[]
  /** Labels by the name of the axis in the group; the others are counted from 0. */
  readonly labels: ReadonlyMap<string, Labels>
}

/**
 * @param variables names are unique
 * @param leading axes that all variables have before their own
 */
export function fitAxes(
  variables: readonly Unfitted[],
  coords: ReadonlyMap<string, Labels>,
  leading: readonly string[],
): Axes {
  const names = variableNames(variables, leading)
  const group = new GroupAxes(variables, new Set(names), leading, coords)
  const fitted = variables.map((variable, i) => ({ name: names[i] ?? variable.name, dims: group.axesOf(variable) }))
  return { fitted, labels: group.labels }
}

function variableNames(variables: readonly Unfitted[], leading: readonly string[]): readonly string[] {
  const fitting = variables.filter(({ name }) => plainName(name) === name && !leading.includes(name))
  if (fitting.length === variables.length) return fitting.map(({ name }) => name)
  const taken = new Set([...fitting.map(({ name }) => name), ...leading])
  const fits = new Set(fitting)
  const free = new FreeNames()
  return variables.map((variable) => {
    if (fits.has(variable)) return variable.name
    const name = free.find(plainName(variable.name), (other) => taken.has(other))
    taken.add(name)
    return name
  })
}

/** The axes of one group as they are found, variable by variable; the first size of a name counts. */
class GroupAxes {
  readonly labels = new Map<string, Labels>()
  private readonly variables: ReadonlySet<string>
  private readonly leading: readonly string[]
  private readonly usable: ReadonlyMap<string, Labels>
  /** Elements of axes by their names in the group. */
  private readonly sizes = new Map<string, number>()
  /** Names in the group by those that were registered. */
  private readonly given = new Map<string, string>()
  private readonly free = new FreeNames()

  constructor(
    variables: readonly Unfitted[],
    names: ReadonlySet<string>,
    leading: readonly string[],
    coords: ReadonlyMap<string, Labels>,
  ) {
    this.variables = names
    this.leading = leading
    this.usable = usableLabels(variables, coords)
  }

  axesOf({ name, shape, dims }: Unfitted): readonly string[] {
    const registered = dims.length > shape.length ? [] : dims
    const axes: string[] = []
    let unnamed = 0
    for (const [axis, size] of shape.entries()) {
      const dim = registered[axis] ?? ''
      // A writer may have spelt out the name of ArviZ 0.x for an axis without one.
      const isNamed = dim !== '' && (dim !== `${name}_dim_${axis}` || this.usable.has(dim))
      if (isNamed && this.fits(dim, size, axes)) axes.push(this.take(dim, size))
      else axes.push(this.own(`${name}_dim_${unnamed++}`, size, axes))
    }
    return axes
  }

  private fits(dim: string, size: number, axes: readonly string[]): boolean {
    if (this.leading.includes(dim) || axes.includes(this.given.get(dim) ?? dim)) return false
    return (this.expected(dim) ?? size) === size
  }

  private expected(dim: string): number | undefined {
    return this.usable.get(dim)?.length ?? this.sizes.get(this.given.get(dim) ?? dim)
  }

  /** The name of an axis in the group: another one where a variable has that name. */
  private take(dim: string, size: number): string {
    const known = this.given.get(dim)
    if (known !== undefined) return known
    const plain = plainName(dim)
    const wanted = this.variables.has(plain) ? `${plain}_dim` : plain
    const name = wanted === dim ? dim : this.free.find(wanted, (other) => this.isTaken(other))
    this.given.set(dim, name)
    this.sizes.set(name, size)
    const labels = this.usable.get(dim)
    if (labels !== undefined) this.labels.set(name, labels)
    return name
  }

  /** The default name of an axis that has none, or none that fits; another one where that is taken. */
  private own(standard: string, size: number, axes: readonly string[]): string {
    const plain = plainName(standard)
    const isFree = !this.variables.has(plain) && !axes.includes(plain) && (this.expected(standard) ?? size) === size
    const isTaken = (other: string) => this.isTaken(other) || this.usable.has(other) || axes.includes(other)
    const name = isFree ? plain : this.free.find(plain, isTaken)
    const labels = this.usable.get(standard)
    if (isFree && labels !== undefined) this.labels.set(name, labels)
    this.sizes.set(name, size)
    return name
  }

  private isTaken(name: string): boolean {
    return this.variables.has(name) || this.leading.includes(name) || this.sizes.has(name)
  }
}

/** Labels as long as the axis of some variable; others say nothing. */
function usableLabels(
  variables: readonly Unfitted[],
  coords: ReadonlyMap<string, Labels>,
): ReadonlyMap<string, Labels> {
  const sizes = new Map<string, Set<number>>()
  for (const { shape, dims } of coords.size === 0 ? [] : variables) {
    for (const [axis, size] of shape.entries()) {
      const dim = dims[axis] ?? ''
      if (!coords.has(dim)) continue
      const known = sizes.get(dim)
      if (known === undefined) sizes.set(dim, new Set([size]))
      else known.add(size)
    }
  }
  return new Map([...coords].filter(([dim, { length }]) => sizes.get(dim)?.has(length) ?? true))
}
