/** The filter of variables: words, `/regular expressions/`, and `~` before those that are left out, as ArviZ has them. */

export interface FilterTerm {
  readonly kind: 'text' | 'regex'
  readonly pattern: string
  readonly isExcluded: boolean
}

export interface Filter {
  readonly terms: readonly FilterTerm[]
  /** Words for what is wrong with it. */
  readonly error?: string | undefined
}

/** Terms between spaces and commas; those in brackets belong to a label, those within slashes to an expression. */
export function filterOf(text: string): Filter {
  const terms: FilterTerm[] = []
  let rest = text.trimStart()
  while (rest !== '') {
    const isExcluded = rest.startsWith('~')
    if (isExcluded) rest = rest.slice(1)
    const regex = /^\/((?:[^\\/[]|\\.|\[(?:[^\]\\]|\\.)*\])+)\/(?=[\s,]|$)/s.exec(rest)
    const word = /^(?:[^\s,[]|\[[^\]]*(?:\]|$))+/.exec(rest)
    if (regex?.[1] !== undefined) terms.push({ kind: 'regex', pattern: regex[1], isExcluded })
    else if (word !== null) terms.push({ kind: 'text', pattern: word[0], isExcluded })
    rest = rest.slice((regex ?? word)?.[0].length ?? 1).replace(/^[\s,]+/, '')
  }
  return { terms, error: errorIn(terms) }
}

function errorIn(terms: readonly FilterTerm[]): string | undefined {
  for (const { kind, pattern } of terms) {
    if (kind !== 'regex') continue
    try {
      new RegExp(pattern, 'u')
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  return undefined
}

/** A test of labels: one of the terms has to be found, if there are any but excluded ones, and none of those. */
export function matcherOf({ terms }: Filter): (label: string) => boolean {
  const tests = terms.map((term) => ({ isExcluded: term.isExcluded, has: testOf(term) }))
  const wanted = tests.filter(({ isExcluded }) => !isExcluded)
  const unwanted = tests.filter(({ isExcluded }) => isExcluded)
  return (label) =>
    (wanted.length === 0 || wanted.some(({ has }) => has(label))) && !unwanted.some(({ has }) => has(label))
}

/** Letters of both cases are alike in words, and differ in expressions. */
function testOf({ kind, pattern }: FilterTerm): (label: string) => boolean {
  if (kind === 'regex') {
    const expression = new RegExp(pattern, 'u')
    return (label) => expression.test(label)
  }
  const wanted = pattern.toLowerCase()
  return (label) => label.toLowerCase().includes(wanted)
}
