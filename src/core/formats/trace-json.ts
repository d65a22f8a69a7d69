/** The JSON form of a trace (docs/protocol.md §8). */

import type { Buckets } from '../diagnostics/buckets.ts'
import type { TracePart } from '../diagnostics/traced.ts'
import type { ElementName } from '../draws/labels.ts'
import type { Bytes } from '../draws/segment.ts'
import { elementText, encodedTexts } from './json.ts'

/** Numbers that are written between two steps. */
const STEP = 4096

/** The answer, from parts that come element after element, and of each one chain after another. */
export function traceJson(
  buckets: Buckets,
  names: readonly ElementName[],
  parts: AsyncIterable<TracePart>,
): AsyncGenerator<Bytes> {
  return encodedTexts(textOf(buckets, names, parts))
}

async function* textOf(
  { start, stop, count }: Buckets,
  names: readonly ElementName[],
  parts: AsyncIterable<TracePart>,
): AsyncGenerator<string> {
  yield `{"start":${start},"stop":${stop},"buckets":${count},"elements":[`
  let opened = -1
  let separator = ''
  for await (const part of parts) {
    while (opened < part.element) {
      yield openingOf(names, ++opened)
      separator = ''
    }
    yield `${separator}{"chain":${part.chain},"at":[`
    yield* listOf(part.at.length, (i) => String(part.at[i] ?? 0))
    yield '],"values":['
    yield* listOf(part.at.length, (i) => elementText(part.values, i))
    yield ']}'
    separator = ','
  }
  while (opened + 1 < names.length) yield openingOf(names, ++opened)
  yield opened < 0 ? ']}' : ']}]}'
}

/** Text between the chains of the element before and those of this one. */
function openingOf(names: readonly ElementName[], element: number): string {
  const { variable, index, label } = names[element] ?? { variable: '', index: [], label: '' }
  const named = `"variable":${JSON.stringify(variable)},"index":[${index.join()}],"label":${JSON.stringify(label)}`
  return `${element === 0 ? '' : ']},'}{${named},"chains":[`
}

function* listOf(length: number, textAt: (index: number) => string): Generator<string> {
  for (let from = 0; from < length; from += STEP) {
    const to = Math.min(length, from + STEP)
    let text = from === 0 ? '' : ','
    for (let i = from; i < to; i++) text += i === from ? textAt(i) : `,${textAt(i)}`
    yield text
  }
}
