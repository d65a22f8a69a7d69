/** Scalars of several runs beside each other, and by how much they differ. */
import type { Figure, SummaryRow } from '../../api/summary.ts'

export interface JoinedScalar {
  readonly variable: string
  /** As the first run that has it calls it. */
  readonly label: string
  /** One for each run, in their order; undefined where it has no such scalar. */
  readonly cells: readonly (SummaryRow | undefined)[]
}

/**
 * Joins rows of summaries, of which one is undefined for a run that cannot be read. Elements are the same that have the same
 * label; where the runs' labels of a variable have nothing in common, as without coordinates in one of them, and its size is the
 * same, those at the same index.
 */
export function joinScalars(runs: readonly (readonly SummaryRow[] | undefined)[]): readonly JoinedScalar[] {
  const variables = new Map<string, JoinedElements>()
  for (const [run, rows] of runs.entries()) {
    for (const [variable, elements] of grouped(rows ?? [])) {
      const joined = variables.get(variable) ?? new JoinedElements(variable, runs.length)
      variables.set(variable, joined)
      joined.add(run, elements)
    }
  }
  return [...variables.values()].flatMap(({ scalars }) => scalars)
}

/** The elements of one variable in all runs. */
class JoinedElements {
  readonly scalars: (JoinedScalar & { readonly cells: (SummaryRow | undefined)[] })[] = []
  private readonly variable: string
  private readonly runs: number
  /** Places of scalars, by label and by index. */
  private readonly labels = new Map<string, number>()
  private readonly indices = new Map<string, number>()

  constructor(variable: string, runs: number) {
    this.variable = variable
    this.runs = runs
  }

  add(run: number, rows: readonly SummaryRow[]): void {
    const isByLabel = rows.some(({ label }) => this.labels.has(label))
    const isByIndex = !isByLabel && rows.length === this.indices.size
    for (const row of rows) {
      const place = isByLabel ? this.labels.get(row.label) : isByIndex ? this.indices.get(row.index.join()) : undefined
      const cells = place === undefined ? undefined : this.scalars[place]?.cells
      if (cells !== undefined && cells[run] === undefined) cells[run] = row
      else this.begin(run, row)
    }
  }

  private begin(run: number, row: SummaryRow): void {
    const place = this.scalars.length
    this.labels.set(row.label, place)
    const index = row.index.join()
    if (!this.indices.has(index)) this.indices.set(index, place)
    const cells = Array.from({ length: this.runs }, (_none, i) => (i === run ? row : undefined))
    this.scalars.push({ variable: this.variable, label: row.label, cells })
  }
}

function grouped(rows: readonly SummaryRow[]): Map<string, SummaryRow[]> {
  const groups = new Map<string, SummaryRow[]>()
  for (const row of rows) {
    const group = groups.get(row.variable)
    if (group === undefined) groups.set(row.variable, [row])
    else group.push(row)
  }
  return groups
}

/** Scalars that two runs have at least. */
export function isCommon({ cells }: JoinedScalar): boolean {
  return cells.filter((cell) => cell !== undefined).length >= 2
}

/** Place of the run that others are compared with: the first that has the scalar. */
export function referenceOf({ cells }: JoinedScalar): number {
  return cells.findIndex((cell) => cell !== undefined)
}

/**
 * The difference of two means in units of its Monte Carlo error, √(MCSE₁² + MCSE₂²); undefined where a mean or an error is not
 * known, and 0 for two constants that are the same.
 */
export function differenceOf(from: SummaryRow | undefined, to: SummaryRow | undefined): number | undefined {
  const [a, b] = [numberOf(from?.figures.mean), numberOf(to?.figures.mean)]
  const [errorA, errorB] = [errorOf(from), errorOf(to)]
  if (a === undefined || b === undefined || errorA === undefined || errorB === undefined) return undefined
  const error = Math.hypot(errorA, errorB)
  if (error === 0) return a === b ? 0 : Math.sign(b - a) * Number.POSITIVE_INFINITY
  return (b - a) / error
}

/** The Monte Carlo error of a mean: none of a constant. */
function errorOf(row: SummaryRow | undefined): number | undefined {
  const error = row?.figures.mcse_mean
  return error === 'constant' ? 0 : numberOf(error)
}

export function numberOf(figure: Figure | undefined): number | undefined {
  return typeof figure === 'number' ? figure : undefined
}

/** The greatest difference to the reference, with its sign. */
export function greatestDifference(scalar: JoinedScalar): number | undefined {
  const reference = scalar.cells[referenceOf(scalar)]
  let greatest: number | undefined
  for (const cell of scalar.cells) {
    if (cell === undefined || cell === reference) continue
    const difference = differenceOf(reference, cell)
    if (difference !== undefined && (greatest === undefined || Math.abs(difference) > Math.abs(greatest))) {
      greatest = difference
    }
  }
  return greatest
}

export type ScalarOrder = 'difference' | 'run'

/** Common scalars with a text in their label, in the run's order, or those that differ most first. */
export function shownScalars(
  joined: readonly JoinedScalar[],
  { text, order }: { readonly text: string; readonly order: ScalarOrder },
): readonly JoinedScalar[] {
  const part = text.toLowerCase()
  const found = joined.filter((each) => isCommon(each) && each.label.toLowerCase().includes(part))
  if (order === 'run') return found
  const size = (each: JoinedScalar) => Math.abs(greatestDifference(each) ?? -1)
  const keyed = found.map((scalar) => ({ scalar, size: size(scalar) }))
  return keyed.sort((a, b) => (a.size === b.size ? 0 : b.size - a.size)).map(({ scalar }) => scalar)
}
