/** RunMeta out of its canonical proto3 JSON (protobuf.dev/programming-guides/json); `run-meta-json.ts` writes it. */
import { type google, type mcbackend, npproto } from '../generated/messages.js'
import type { Steps } from '../turn.ts'
import { floatOf, isNumber, namedFloat, wholeOf } from './json-numbers.ts'
import { checkJson, JsonReader } from './json-reader.ts'
import { durationOf, timestampOf } from './json-times.ts'
import { encodeRunMeta, MAX_FIELDS, tooManyFields } from './run-meta.ts'

type Int64 = npproto.ndarray['shape'][number]
type Value = google.protobuf.Value.$Properties
type Attribute = mcbackend.ExtendedValue.$Properties

/** Names of fields as the schema has them, which JSON takes beside those in camel case. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map(
  [
    'sample_stats',
    'is_deterministic',
    'undefined_ndim',
    'is_observed',
    'null_value',
    'number_value',
    'string_value',
    'bool_value',
    'struct_value',
    'list_value',
    'timestamp_value',
    'duration_value',
    'ndarray_value',
  ].map((name) => [name, name.replaceAll(/_(.)/g, (_all, letter: string) => letter.toUpperCase())]),
)

/** Messages within each other at most; those of a run's attributes are counted as protobuf nests them. */
const MAX_MESSAGES = 100
/** Messages around the value of an attribute: the run, an entry of its map, and the attribute. */
const AROUND_ATTRIBUTE = 2
/** A Struct brings itself, an entry, and a value for each level; a list itself and a value. */
const STRUCT_MESSAGES = 3
const LIST_MESSAGES = 2

/** Number of the field `shape` in an ndarray. */
const SHAPE_FIELD = 3

const MIN_INT64 = -(2n ** 63n)
const MAX_INT64 = 2n ** 63n - 1n

/**
 * The wire form of a RunMeta that came as JSON.
 *
 * @throws McbError `invalid_json`, `invalid_run_meta` where it has too many fields
 */
export function* runMetaOfJson(text: string): Steps<Uint8Array<ArrayBuffer>> {
  yield* checkJson(text)
  return encodeRunMeta(new MetaReader(text).runMeta())
}

class MetaReader extends JsonReader {
  private fields = 0

  runMeta(): mcbackend.RunMeta.$Properties {
    const meta: mcbackend.RunMeta.$Properties = {}
    this.message('RunMeta', {
      rid: () => {
        meta.rid = this.string()
      },
      variables: () => {
        meta.variables = this.list(() => this.variable())
      },
      coordinates: () => {
        meta.coordinates = this.list(() => this.coordinate())
      },
      attributes: () => {
        meta.attributes = this.map(() => this.attribute())
      },
      sampleStats: () => {
        meta.sampleStats = this.list(() => this.variable())
      },
      data: () => {
        meta.data = this.list(() => this.dataVariable())
      },
    })
    return meta
  }

  private variable(): mcbackend.Variable.$Properties {
    const variable: mcbackend.Variable.$Properties = {}
    this.message('Variable', {
      name: () => {
        variable.name = this.string()
      },
      dtype: () => {
        variable.dtype = this.string()
      },
      shape: () => {
        variable.shape = this.list(() => this.int64())
      },
      dims: () => {
        variable.dims = this.list(() => this.string())
      },
      isDeterministic: () => {
        variable.isDeterministic = this.bool()
      },
      undefinedNdim: () => {
        variable.undefinedNdim = this.bool()
      },
    })
    return variable
  }

  private coordinate(): mcbackend.Coordinate.$Properties {
    const coordinate: mcbackend.Coordinate.$Properties = {}
    this.message('Coordinate', {
      name: () => {
        coordinate.name = this.string()
      },
      values: () => {
        coordinate.values = this.ndarray()
      },
    })
    return coordinate
  }

  private dataVariable(): mcbackend.DataVariable.$Properties {
    const variable: mcbackend.DataVariable.$Properties = {}
    this.message('DataVariable', {
      name: () => {
        variable.name = this.string()
      },
      value: () => {
        variable.value = this.ndarray()
      },
      dims: () => {
        variable.dims = this.list(() => this.string())
      },
      isObserved: () => {
        variable.isObserved = this.bool()
      },
    })
    return variable
  }

  private ndarray(): npproto.ndarray.$Properties {
    const array: npproto.ndarray.$Properties = {}
    this.message('ndarray', {
      data: () => {
        array.data = this.bytes()
      },
      dtype: () => {
        array.dtype = this.string()
      },
      shape: () => {
        array.shape = this.list(() => this.int64())
      },
      strides: () => {
        array.strides = this.list(() => this.int64())
      },
      order: () => {
        array.order = this.string()
      },
    })
    return array
  }

  private attribute(): Attribute {
    let attribute: Attribute = {}
    const one = (read: () => Attribute) => () => {
      if (Object.keys(attribute).length > 0) throw this.fail('this is the second kind of one attribute', this.keyAt)
      attribute = read()
    }
    this.message('ExtendedValue', {
      nullValue: one(() => ({ nullValue: this.nullValue() })),
      numberValue: one(() => ({ numberValue: this.double() })),
      stringValue: one(() => ({ stringValue: this.string() })),
      boolValue: one(() => ({ boolValue: this.bool() })),
      structValue: one(() => ({ structValue: this.struct(AROUND_ATTRIBUTE) })),
      listValue: one(() => ({ listValue: { values: this.values(AROUND_ATTRIBUTE) } })),
      timestampValue: one(() => ({ timestampValue: this.time('a timestamp as "2026-12-31T23:59:59Z"', timestampOf) })),
      durationValue: one(() => ({ durationValue: this.time('a duration as "-1.5s"', durationOf) })),
      ndarrayValue: one(() => ({ ndarrayValue: this.ndarray() })),
    })
    return attribute
  }

  private struct(around: number): google.protobuf.Struct.$Properties {
    this.requireDepth(around + STRUCT_MESSAGES)
    return { fields: this.map(() => this.value(around + STRUCT_MESSAGES)) }
  }

  private values(around: number): Value[] {
    this.requireDepth(around + LIST_MESSAGES)
    return this.list(() => this.value(around + LIST_MESSAGES))
  }

  private value(around: number): Value {
    switch (this.kind()) {
      case 'object':
        return { structValue: this.struct(around) }
      case 'array':
        return { listValue: { values: this.values(around) } }
      case 'string':
        return { stringValue: this.string() }
      case 'number':
        return { numberValue: this.double() }
      case 'boolean':
        return { boolValue: this.boolean() }
      case 'null':
        return { nullValue: this.nullValue() }
    }
  }

  private requireDepth(messages: number): void {
    if (messages > MAX_MESSAGES) throw this.fail('attributes are nested too deeply')
  }

  /** Reads the fields of a message; null stands for the default of each, except where it is the value. */
  private message(name: string, fields: Readonly<Record<string, () => void>>): void {
    for (const key of this.members(name)) {
      const field = OTHER_NAMES.get(key) ?? key
      const read = Object.hasOwn(fields, field) ? fields[field] : undefined
      if (read === undefined) {
        const known = Object.keys(fields).join(', ')
        throw this.fail(`${name} has no field ${JSON.stringify(key)}; it has ${known}`, this.keyAt)
      }
      if (this.kind() === 'null' && field !== 'nullValue') this.null()
      else read()
    }
  }

  /** Keys of the object that comes next, each once; values are taken in between. */
  private *members(what: string): Generator<string, void, void> {
    this.demand('object', what)
    if (!this.beginObject()) return
    const seen = new Set<string>()
    do {
      this.count()
      const key = this.key()
      const name = what === MAP ? key : (OTHER_NAMES.get(key) ?? key)
      if (seen.has(name)) throw this.fail(`${JSON.stringify(key)} is there twice`, this.keyAt)
      seen.add(name)
      yield key
    } while (this.moreMembers())
  }

  /** Defined properties, not assigned ones: a key may be `__proto__`. */
  private map<T>(read: () => T): { [key: string]: T } {
    const entries: [string, T][] = []
    for (const key of this.members(MAP)) entries.push([key, read()])
    return Object.fromEntries(entries)
  }

  private list<T>(read: () => T): T[] {
    this.demand('array', 'a list')
    const items: T[] = []
    if (!this.beginList()) return items
    do {
      this.count()
      items.push(read())
    } while (this.moreItems())
    return items
  }

  private nullValue(): google.protobuf.NullValue {
    const at = this.position
    const kind = this.kind()
    const isNull =
      kind === 'null' ||
      (kind === 'string' && this.string() === 'NULL_VALUE') ||
      (kind === 'number' && wholeOf(this.number()) === 0)
    if (!isNull) throw this.fail('the only value of NullValue is null', at)
    if (kind === 'null') this.null()
    return 0
  }

  private bool(): boolean {
    this.demand('boolean', 'true or false')
    return this.boolean()
  }

  override string(): string {
    this.demand('string', 'a string')
    return super.string()
  }

  /** A number, or a string that holds one. */
  private numeral(): string {
    const at = this.position
    if (this.kind() === 'number') return this.number()
    const text = this.string()
    if (!isNumber(text)) throw this.fail('expected a number', at)
    return text
  }

  private int64(): Int64 {
    const at = this.position
    const value = wholeOf(this.numeral())
    if (value === undefined || value < MIN_INT64 || value > MAX_INT64) {
      throw this.fail('expected an integer of 64 bits', at)
    }
    return Number.isSafeInteger(Number(value)) ? Number(value) : longOf(BigInt(value))
  }

  private double(): number {
    const at = this.position
    const isText = this.kind() === 'string'
    const named = isText ? namedFloat(this.string()) : undefined
    if (named !== undefined) return named
    this.position = at
    const value = floatOf(this.numeral())
    if (value === undefined) throw this.fail('the number is beyond the largest double', at)
    return value
  }

  private bytes(): Uint8Array {
    const at = this.position
    const text = this.string().replaceAll('-', '+').replaceAll('_', '/')
    const digits = text.replace(/={1,2}$/, '')
    // Padding is all or nothing.
    if (/[^A-Za-z0-9+/]/.test(digits) || digits.length % 4 === 1 || (text !== digits && text.length % 4 !== 0)) {
      throw this.fail('expected bytes in base64', at)
    }
    const binary = atob(digits)
    return Uint8Array.from({ length: binary.length }, (_, i) => binary.charCodeAt(i))
  }

  private time<T>(what: string, parse: (text: string) => T | undefined): T {
    const at = this.position
    const value = parse(this.string())
    if (value === undefined) throw this.fail(`expected ${what}, in its range`, at)
    return value
  }

  private demand(kind: ReturnType<JsonReader['kind']>, what: string): void {
    const found = this.kind()
    if (found !== kind) throw this.fail(`expected ${what}, found ${found}`)
  }

  private count(): void {
    if (++this.fields > MAX_FIELDS) throw tooManyFields()
  }
}

const MAP = 'an object'

/** An int64 as protobufjs has it, which only its reader makes: the one number of a shape. */
function longOf(value: bigint): Int64 {
  const bytes = [SHAPE_FIELD * 8]
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return npproto.ndarray.decode(new Uint8Array(bytes)).shape[0] ?? 0
}
