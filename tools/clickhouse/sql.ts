/** As much of ClickHouse's SQL as a server must see of a query before the engine does. */

/** A query without its FORMAT clause, which the engine takes apart from it. */
export interface Query {
  readonly sql: string
  readonly format: string | undefined
  readonly isInsert: boolean
  /** An INSERT whose data follow the query, and not from a SELECT. */
  readonly takesData: boolean
}

/** Strings, quoted names and comments become blanks of the same length, so that keywords can be looked for. */
function blanked(sql: string): string {
  const quoted = /'(?:[^'\\]|\\[\s\S]|'')*'|`(?:[^`\\]|\\[\s\S])*`|"(?:[^"\\]|\\[\s\S])*"|--[^\n]*|\/\*[\s\S]*?\*\//g
  return sql.replace(quoted, (text) => ' '.repeat(text.length))
}

export function parseQuery(text: string): Query {
  const trimmed = text.replace(/[\s;]+$/, '')
  const blank = blanked(trimmed)
  const isInsert = /^\s*INSERT\s/i.test(blank)
  const clause = /\bFORMAT\s+([A-Za-z][A-Za-z0-9]*)/gi
  let found: RegExpExecArray | undefined
  for (let match = clause.exec(blank); match !== null; match = clause.exec(blank)) found = match
  const takesData = isInsert && !/\bSELECT\b/i.test(blank) && !/\bVALUES\b/i.test(blank)
  // A FORMAT clause ends the query, or stands before SETTINGS.
  const rest = found === undefined ? '' : blank.slice(found.index + found[0].length)
  if (found === undefined || (rest.trim() !== '' && !/^\s*SETTINGS\b/i.test(rest))) {
    return { sql: trimmed, format: undefined, isInsert, takesData }
  }
  const sql = trimmed.slice(0, found.index) + trimmed.slice(found.index + found[0].length)
  return { sql, format: found[1], isInsert, takesData }
}

/** Adds settings; those that the query names itself win. */
export function withSettings(sql: string, settings: ReadonlyMap<string, string>): string {
  const own = /\bSETTINGS\b[^()]*$/i.exec(blanked(sql))?.[0] ?? ''
  const added = [...settings].filter(([name]) => !new RegExp(`\\b${name}\\s*=`).test(own))
  if (added.length === 0) return sql
  const clause = added.map(([name, value]) => `${name} = ${literal(value)}`).join(', ')
  return own === '' ? `${sql}\nSETTINGS ${clause}` : `${sql}, ${clause}`
}

export function literal(value: string): string {
  return /^-?\d+(\.\d+)?$/.test(value) ? value : quote(value)
}

export function quote(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0')}'`
}

const ESCAPES: Readonly<Record<string, string>> = {
  t: '\t',
  n: '\n',
  r: '\r',
  b: '\b',
  f: '\f',
  0: '\0',
  a: '\x07',
  v: '\v',
}

function unescaped(text: string): string {
  return text.replace(/\\([\s\S])/g, (_, character: string) => ESCAPES[character] ?? character)
}

/**
 * Puts the values of `{name:Type}` into a query, as the server does it: each becomes one literal, whatever it holds. Values
 * are text as in TSV; one without a value is left for the engine to complain of. chdb's own binding lets only one query
 * of the process run at a time.
 */
export function bindParams(sql: string, params: ReadonlyMap<string, string>): string {
  if (params.size === 0) return sql
  let bound = ''
  let at = 0
  for (const place of blanked(sql).matchAll(/\{\s*(\w+)\s*:[^{}]*\}/g)) {
    const [blank, name = ''] = place
    const text = params.get(name)
    if (text === undefined) continue
    const type = sql.slice(place.index + blank.indexOf(':') + 1, place.index + blank.length - 1).trim()
    bound += sql.slice(at, place.index) + boundValue(text, type)
    at = place.index + blank.length
  }
  return bound + sql.slice(at)
}

function boundValue(text: string, type: string): string {
  if (type === 'Identifier') return `\`${unescaped(text).replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
  if (type === 'String') return quote(unescaped(text))
  if (text === '\\N' && type.startsWith('Nullable')) return `_CAST(NULL, ${quote(type)})`
  // Within these, strings stand in quotes with escapes of their own.
  const isComposite = /^(Array|Tuple|Map)\b/.test(type)
  return `_CAST(${quote(isComposite ? text : unescaped(text))}, ${quote(type)})`
}
