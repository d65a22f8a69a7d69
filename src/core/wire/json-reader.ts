/**
 * A pull parser of JSON (RFC 8259) that builds nothing: a caller takes values one after the other where they lie, numbers as
 * they are written. JSON.parse would take ten times the memory of its text, round integers beyond 2^53, keep one of two
 * members of a name, let halves of surrogate pairs through, and tell no place.
 */
import { McbError } from '../errors.ts'
import { Pace, STEP_SIZE, type Steps } from '../turn.ts'

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null'

/** Objects and lists within each other at most, as with messages of protobuf. */
const MAX_DEPTH = 100

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Characters of what was found that an error shows. */
const SHOWN = 20

export class JsonReader {
  readonly text: string
  /** Index of the next character in the text. */
  position = 0
  /** Index of the key that was taken last. */
  keyAt = 0

  constructor(text: string) {
    this.text = text
  }

  /** An error that tells the place of a character, by default of the next one. */
  fail(what: string, at = this.position): McbError {
    return new McbError('invalid_json', `${this.place(at)}: ${what}`)
  }

  /** Line and column of a character, both from 1. */
  place(at: number): string {
    let line = 1
    let begin = 0
    for (let end = this.text.indexOf('\n'); end >= 0 && end < at; end = this.text.indexOf('\n', begin)) {
      line++
      begin = end + 1
    }
    return `line ${line}, column ${at - begin + 1}`
  }

  /** The kind of the next value, which is not taken. */
  kind(): JsonKind {
    const code = this.next()
    if (code === OPEN_OBJECT) return 'object'
    if (code === OPEN_LIST) return 'array'
    if (code === QUOTE) return 'string'
    if (isDigit(code) || code === 0x2d) return 'number'
    if (code === 0x6e) return 'null'
    if (code === 0x74 || code === 0x66) return 'boolean'
    throw this.expected('a value')
  }

  /** Enters a list; false when it is empty, and passed. */
  beginList(): boolean {
    return this.begin(OPEN_LIST, CLOSE_LIST)
  }

  /** Goes to the next item of a list; false behind the last one, when the list is passed. */
  moreItems(): boolean {
    return this.more(CLOSE_LIST, '"," or "]"')
  }

  /** Enters an object, whose first key comes next; false when it is empty, and passed. */
  beginObject(): boolean {
    return this.begin(OPEN_OBJECT, CLOSE_OBJECT)
  }

  /** Goes to the next key of an object; false behind the last member, when the object is passed. */
  moreMembers(): boolean {
    return this.more(CLOSE_OBJECT, '"," or "}"')
  }

  /** Takes a key with the colon behind it. */
  key(): string {
    this.next()
    this.keyAt = this.position
    const key = this.string()
    this.passColon()
    return key
  }

  passKey(): void {
    this.passString()
    this.passColon()
  }

  string(): string {
    this.next()
    const begin = this.position
    const isPlain = this.passString()
    if (isPlain) return this.text.slice(begin + 1, this.position - 1)
    // Its escapes were judged, so that this cannot fail.
    return String(JSON.parse(this.text.slice(begin, this.position)))
  }

  /** Takes a number as it is written. */
  number(): string {
    this.next()
    const begin = this.position
    this.passNumber()
    return this.text.slice(begin, this.position)
  }

  boolean(): boolean {
    const isTrue = this.next() === 0x74
    this.passWord(isTrue ? 'true' : 'false')
    return isTrue
  }

  null(): void {
    this.next()
    this.passWord('null')
  }

  /** Passes over a value that is neither object nor list. */
  passScalar(kind: JsonKind): void {
    if (kind === 'string') this.passString()
    else if (kind === 'number') this.passNumber()
    else if (kind === 'boolean') this.boolean()
    else this.null()
  }

  /** Makes sure that nothing comes behind the value. */
  end(): void {
    if (!Number.isNaN(this.next())) throw this.expected('the end')
  }

  /** Passes over white space, and looks at what comes then: NaN at the end. */
  private next(): number {
    const { text } = this
    let code = text.charCodeAt(this.position)
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++this.position)
    return code
  }

  private begin(open: number, close: number): boolean {
    if (this.next() !== open) throw this.expected(`"${String.fromCharCode(open)}"`)
    this.position++
    if (this.next() !== close) return true
    this.position++
    return false
  }

  private more(close: number, what: string): boolean {
    const code = this.next()
    if (code !== COMMA && code !== close) throw this.expected(what)
    this.position++
    return code === COMMA
  }

  private passColon(): void {
    if (this.next() !== COLON) throw this.expected('":"')
    this.position++
  }

  private passWord(word: string): void {
    if (!this.text.startsWith(word, this.position)) throw this.expected('a value')
    this.position += word.length
  }

  /** Passes over a string; true when it has no escapes. */
  private passString(): boolean {
    const { text } = this
    if (this.next() !== QUOTE) throw this.expected('a string')
    const begin = this.position++
    let isPlain = true
    for (;;) {
      const code = text.charCodeAt(this.position)
      if (code === QUOTE) break
      if (code === BACKSLASH) {
        isPlain = false
        this.passEscape()
      } else if (code >= 0x20) this.position++
      else if (Number.isNaN(code)) throw this.fail('a string does not end', begin)
      else throw this.fail(`a string holds the control character ${hexOf(code)}; write it as an escape`)
    }
    this.position++
    return isPlain
  }

  private passEscape(): void {
    const { text } = this
    const letter = text.charAt(this.position + 1)
    if (letter !== 'u') {
      if (letter === '' || !'"\\/bfnrt'.includes(letter)) throw this.fail('a string holds an unknown escape')
      this.position += 2
      return
    }
    const unit = this.unitAt(this.position)
    if (unit === undefined) throw this.fail('"\\u" needs four hexadecimal digits')
    if (unit < 0xd800 || unit > 0xdfff) {
      this.position += 6
      return
    }
    const low = unit < 0xdc00 ? this.unitAt(this.position + 6) : undefined
    if (low === undefined || low < 0xdc00 || low > 0xdfff) {
      throw this.fail(`a string holds half a character (the lone surrogate ${hexOf(unit)})`)
    }
    this.position += 12
  }

  /** The UTF-16 unit of an escape. */
  private unitAt(at: number): number | undefined {
    const digits = this.text.slice(at, at + 6)
    return /^\\u[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits.slice(2), 16) : undefined
  }

  private passNumber(): void {
    const { text } = this
    if (text.charCodeAt(this.position) === 0x2d) this.position++
    if (text.charCodeAt(this.position) === 0x30) this.position++
    else this.passDigits()
    if (text.charCodeAt(this.position) === 0x2e) {
      this.position++
      this.passDigits()
    }
    const letter = text.charCodeAt(this.position)
    if (letter !== 0x65 && letter !== 0x45) return
    this.position++
    const sign = text.charCodeAt(this.position)
    if (sign === 0x2b || sign === 0x2d) this.position++
    this.passDigits()
  }

  private passDigits(): void {
    const begin = this.position
    while (isDigit(this.text.charCodeAt(this.position))) this.position++
    if (this.position === begin) throw this.expected('a digit')
  }

  private expected(what: string): McbError {
    const found = this.text.slice(this.position, this.position + SHOWN).toWellFormed()
    return this.fail(`expected ${what}, ${found === '' ? 'and the text ends' : `found ${JSON.stringify(found)}`}`)
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function hexOf(unit: number): string {
  return `U+${unit.toString(16).toUpperCase().padStart(4, '0')}`
}

/** The text of a JSON body, without a byte order mark. @throws McbError `invalid_json` where it is not UTF-8 */
export function decodeJson(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new McbError('invalid_json', `byte ${firstBadByte(bytes)} of the body is not UTF-8, which JSON is written in`)
  }
}

/** Index of the first byte that ends no well-formed text, however it goes on. */
function firstBadByte(bytes: Uint8Array<ArrayBuffer>): number {
  let good = 0
  for (let bad = bytes.length; good < bad; ) {
    const middle = Math.ceil((good + bad) / 2)
    if (isBeginning(bytes.subarray(0, middle))) good = middle
    else bad = middle - 1
  }
  return good
}

function isBeginning(bytes: Uint8Array<ArrayBuffer>): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}

/** Makes sure that a text is JSON, so that whoever reads it again meets nothing else. @throws McbError `invalid_json` */
export function* checkJson(text: string): Steps<void> {
  const reader = new JsonReader(text)
  yield* passValue(reader, new Pace(STEP_SIZE))
  reader.end()
}

/**
 * Passes over a value without recursion, whatever it holds.
 *
 * @param lengths gets the number of items of the first list at each depth
 */
export function* passValue(reader: JsonReader, pace: Pace, lengths: number[] = []): Steps<void> {
  /** Items of each list that is open; undefined for an object. */
  const open: (number | undefined)[] = []
  for (let begin = reader.position; ; begin = reader.position) {
    if (!enter(reader, open, lengths)) while (open.length > 0 && !goOn(reader, open, lengths)) open.pop()
    if (open.length === 0) return
    if (pace.isDue(reader.position - begin)) yield
  }
}

/** Enters the next value if it holds others, else passes over it. */
function enter(reader: JsonReader, open: (number | undefined)[], lengths: number[]): boolean {
  const kind = reader.kind()
  if (kind !== 'object' && kind !== 'array') {
    reader.passScalar(kind)
    return false
  }
  if (open.length === MAX_DEPTH) throw reader.fail(`it is nested more than ${MAX_DEPTH} deep`)
  if (kind === 'array') {
    if (reader.beginList()) return open.push(1) > 0
    lengths[open.length] ??= 0
    return false
  }
  if (!reader.beginObject()) return false
  reader.passKey()
  return open.push(undefined) > 0
}

/** Goes to the next value of the innermost list or object; false at its end. */
function goOn(reader: JsonReader, open: (number | undefined)[], lengths: number[]): boolean {
  const depth = open.length - 1
  const items = open[depth]
  if (items === undefined) {
    if (!reader.moreMembers()) return false
    reader.passKey()
    return true
  }
  if (reader.moreItems()) {
    open[depth] = items + 1
    return true
  }
  lengths[depth] ??= items
  return false
}
