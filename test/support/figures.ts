/** Figures in Prometheus's text format, read without the library that writes them. */
import { expect } from 'vitest'

/** Values by series, as they are written: `name{label="value"}`. */
export type Figures = ReadonlyMap<string, number>

export function figuresIn(text: string): Figures {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const [, series = '', value = ''] = /^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$/.exec(line) ?? []
      expect(series, `a malformed line: ${line}`).not.toBe('')
      return [series, Number(value)] as const
    }),
  )
}

/** Names of the figures of a server, also of those that no request has begun yet. */
export function namesIn(text: string): Set<string> {
  const declared = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
  return new Set(
    declared.flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  )
}

/** Values of one label over all series. */
export function labelsOf(figures: Figures, label: string): Set<string> {
  const pattern = new RegExp(`[{,]${label}="((?:[^"\\\\]|\\\\.)*)"`)
  return new Set([...figures.keys()].flatMap((series) => pattern.exec(series)?.[1] ?? []))
}
