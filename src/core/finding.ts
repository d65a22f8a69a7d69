/** Finding runs: questions to a list, and the terms by which tags and attributes are indexed (docs/protocol.md §9). */
import type { mcbackend, RunMeta } from './wire/run-meta.ts'

/** Conditions on the runs of a list; all of them hold. */
export interface RunFilter {
  /** Part of the rid or the name, both folded. */
  readonly q?: string | undefined
  /** Tags that a run has. */
  readonly tag?: readonly string[] | undefined
  /** The earliest registration. */
  readonly since?: Date | undefined
  /** The end of registrations: the first moment that is too late. */
  readonly until?: Date | undefined
  /** The earliest last write. */
  readonly updatedSince?: Date | undefined
  /** Attributes of the metadata, each as a key and a value's text. */
  readonly attr?: readonly (readonly [key: string, value: string])[] | undefined
  /** `true` for archived runs alone, `any` for all; those that are not archived by default. */
  readonly archived?: 'true' | 'false' | 'any' | undefined
}

/** Bytes of UTF-8 that the key, and the value, of an attribute may have that can be found. */
const FOUND_BYTES = 1024
/** Attributes of a run that can be found, in the order of their keys. */
const FOUND_ATTRIBUTES = 1000

/**
 * Text for comparing without case. Each final sigma counts as any other: lower case alone depends on the letters around it, so
 * that a part of a name might not be found in it.
 */
export function fold(text: string): string {
  return text.toLowerCase().replaceAll('ς', 'σ')
}

/** The term of a tag. No tag's is an attribute's, which is a list. */
export function tagTerm(tag: string): string {
  return JSON.stringify(tag)
}

/** Terms of the attributes that can be found. */
export function attributeTerms(meta: RunMeta): string[] {
  const terms: string[] = []
  for (const [key, value] of Object.entries(meta.attributes ?? {}).sort(byKey)) {
    if (terms.length === FOUND_ATTRIBUTES) break
    const found = plainValue(value)
    if (found === undefined || isLong(key) || (typeof found === 'string' && isLong(found))) continue
    terms.push(attributeTerm(key, found))
  }
  return terms
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}

/** The value of an attribute of a kind that can be found. */
function plainValue(value: mcbackend.ExtendedValue.$Properties): string | number | boolean | null | undefined {
  switch (value.kind) {
    case 'nullValue':
      return null
    case 'numberValue':
      return value.numberValue ?? 0
    case 'stringValue':
      return value.stringValue ?? ''
    case 'boolValue':
      return value.boolValue ?? false
    default:
      return undefined
  }
}

function isLong(text: string): boolean {
  return text.length * 3 > FOUND_BYTES && new TextEncoder().encode(text).length > FOUND_BYTES
}

/** −0 is 0; the numbers that JSON has not are the names of numbers without quotes, which no other term has. */
function attributeTerm(key: string, value: string | number | boolean | null): string {
  const text = typeof value === 'number' ? String(value === 0 ? 0 : value) : JSON.stringify(value)
  return `[${JSON.stringify(key)},${text}]`
}

const NUMBER = /^-?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i
const WORDS: Readonly<Record<string, number | boolean | null>> = {
  true: true,
  false: false,
  null: null,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
}

/** The terms of which one is that of an attribute with this value: a text may stand for a string, a number, or a word. */
export function candidateTerms(key: string, text: string): string[] {
  const terms = [attributeTerm(key, text)]
  if (NUMBER.test(text)) {
    const number = Number(text)
    if (Number.isFinite(number)) terms.push(attributeTerm(key, number))
  } else if (Object.hasOwn(WORDS, text)) terms.push(attributeTerm(key, WORDS[text] ?? null))
  return terms
}

/** Sets of terms, of each of which a run has one. */
export function termsOf({ tag = [], attr = [] }: RunFilter): string[][] {
  return [
    ...attr.map(([key, value]) => candidateTerms(key, value)),
    ...[...new Set(tag)].map((each) => [tagTerm(each)]),
  ]
}
