/** Questions to the summary for some scalars: as few as name them all. */
import type { SummaryQuery } from '../../api/summary.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'

/** Questions for these scalars: variables that are wanted whole in one, and others by their elements. */
export function partsOf(
  schema: RunSchema,
  scalars: readonly NamedScalar[],
): readonly Pick<SummaryQuery, 'variables' | 'elements'>[] {
  const wanted = new Map<string, number[]>()
  for (const { name, element } of scalars) wanted.set(name, [...(wanted.get(name) ?? []), element])
  const isWhole = ([name, elements]: [string, number[]]) => elements.length === schema.column('draws', name)?.scalars
  const whole = [...wanted].filter(isWhole).map(([name]) => name)
  const parts = [...wanted].filter((each) => !isWhole(each))
  return [
    ...(whole.length === 0 ? [] : [{ variables: whole }]),
    ...parts.map(([name, elements]) => ({ variables: [name], elements: rangesOf(elements) })),
  ]
}

/** Rising numbers as `0,3,10:20`, where a range ends before its stop. */
export function rangesOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const number of numbers) {
    const last = ranges.at(-1)
    if (last?.[1] === number) last[1]++
    else ranges.push([number, number + 1])
  }
  return ranges.map(([start, stop]) => (stop === start + 1 ? `${start}` : `${start}:${stop}`)).join()
}
