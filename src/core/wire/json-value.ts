/** Values of JSON text, in turns and within bounds: integers to the last digit, no member lost in silence. */
import { McbError } from '../errors.ts'
import type { JsonValue } from '../json.ts'
import { Pace, type Steps } from '../turn.ts'
import { JsonReader } from './json-reader.ts'

/** Values of one text at most, those within objects and lists among them. */
const MOST_VALUES = 600_000
/** Characters of a number at most. */
const NUMBER_CHARACTERS = 400
/** Values between two turns of others. */
const STEP_VALUES = 4096

/**
 * The value of a text that is JSON.
 *
 * @throws McbError `invalid_json` for a name that is there twice, or a number that is beyond the largest double or has more than
 *   400 characters; `payload_too_large` for more than 600,000 values
 */
export function* valueOfJson(text: string): Steps<JsonValue> {
  return yield* new Values(text).next()
}

class Values {
  private readonly reader: JsonReader
  private readonly pace = new Pace(STEP_VALUES)
  private count = 0

  constructor(text: string) {
    this.reader = new JsonReader(text)
  }

  *next(): Steps<JsonValue> {
    if (++this.count > MOST_VALUES) {
      throw new McbError('payload_too_large', `the body has more than ${MOST_VALUES} values`, { limit: MOST_VALUES })
    }
    if (this.pace.isDue(1)) yield
    const kind = this.reader.kind()
    if (kind === 'object') return yield* this.object()
    if (kind === 'array') return yield* this.list()
    if (kind === 'string') return this.reader.string()
    if (kind === 'number') return this.number()
    if (kind === 'boolean') return this.reader.boolean()
    this.reader.null()
    return null
  }

  private *list(): Steps<JsonValue[]> {
    const items: JsonValue[] = []
    if (!this.reader.beginList()) return items
    do items.push(yield* this.next())
    while (this.reader.moreItems())
    return items
  }

  private *object(): Steps<{ [name: string]: JsonValue }> {
    const members = new Map<string, JsonValue>()
    if (!this.reader.beginObject()) return {}
    do {
      const name = this.reader.key()
      if (members.has(name)) throw this.reader.fail(`"${name}" is there twice`, this.reader.keyAt)
      members.set(name, yield* this.next())
    } while (this.reader.moreMembers())
    return Object.fromEntries(members)
  }

  private number(): number | bigint {
    const at = this.reader.position
    const text = this.reader.number()
    if (text.length > NUMBER_CHARACTERS) {
      throw this.reader.fail(`a number has at most ${NUMBER_CHARACTERS} characters, not ${text.length}`, at)
    }
    const value = Number(text)
    if (!Number.isFinite(value)) throw this.reader.fail(`${text} is beyond the largest double`, at)
    return Number.isSafeInteger(value) || !/^-?\d+$/.test(text) ? value : BigInt(text)
  }
}
