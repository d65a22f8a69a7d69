/**
 * Name, tags, notes and facts of a run (docs/protocol.md §9): one document that changes, beside the metadata that never do.
 *
 * A store keeps the document as text, and beside it what lists show and find, so that a list reads no facts.
 */
import { McbError } from './errors.ts'
import { fold } from './finding.ts'
import { isObject, type JsonObject, type JsonValue, jsonText, parseJson } from './json.ts'

export interface About {
  /** At most 200 characters; null when the run has none. */
  readonly name: string | null
  /** At most 50, of 1 to 64 characters, each once. */
  readonly tags: readonly string[]
  /** At most 64 KiB of UTF-8. */
  readonly notes: string | null
  /** True for a run that lists leave out unless they are asked for it. */
  readonly archived: boolean
  /** Facts that are known late, or differ between two starts of one script. At most 1 MiB as JSON. */
  readonly facts: JsonObject
}

/** A JSON merge patch (RFC 7396) of `About`: an absent member stays, null resets it; in `facts` at any depth. */
export interface AboutPatch {
  readonly name?: string | null
  readonly tags?: readonly string[] | null
  readonly notes?: string | null
  readonly archived?: boolean | null
  readonly facts?: JsonObject | null
}

export const NO_ABOUT: About = { name: null, tags: [], notes: null, archived: false, facts: {} }

/** The parts of an `About` that lists show and find. */
export interface ShownAbout {
  readonly name: string | null
  readonly tags: readonly string[]
  readonly archived: boolean
  /** The name, folded for searching. */
  readonly folded: string
  /** True when the facts say that the run has finished. */
  readonly finished: boolean
  /** Draws of each chain, warmup included, after which it is complete; null when the facts do not say. */
  readonly expected: number | null
}

/** `done` by its facts or its lengths, `live` when it was written within the last minute, else `silent`. */
export type RunState = 'done' | 'live' | 'silent'

const NAME_CHARACTERS = 200
const TAGS = 50
const TAG_CHARACTERS = 64
const NOTES_BYTES = 64 * 1024
const FACTS_BYTES = 1024 * 1024
/** Levels of lists and objects in facts at most. */
const FACTS_DEPTH = 64

/** Milliseconds since the last write for which a run is `live`. */
const LIVE_MS = 60_000

/** @throws McbError `invalid_about` for a patch with a member that is unknown, of another type, or too long */
export function parsePatch(given: JsonValue): AboutPatch {
  if (!isObject(given)) throw invalid('the patch must be an object of name, tags, notes, archived and facts')
  const patch: { [name: string]: JsonValue } = {}
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(CHECKS, name)) {
      throw invalid(`"${name}" is not known; a patch has name, tags, notes, archived and facts`)
    }
    const check = CHECKS[name]
    patch[name] = value === null || check === undefined ? value : check(value)
  }
  return patch
}

const CHECKS: Readonly<Record<string, (value: JsonValue) => JsonValue>> = {
  name: (value) => textOf('name', value, NAME_CHARACTERS),
  tags: (value) => tagsOf(value),
  notes: (value) => {
    if (typeof value === 'string' && utf8Length(value) <= NOTES_BYTES) return value
    throw invalid(`"notes" must be null or a string of at most ${NOTES_BYTES} bytes`)
  },
  archived: (value) => {
    if (typeof value === 'boolean') return value
    throw invalid('"archived" must be null, true or false')
  },
  facts: (value) => {
    if (isObject(value)) return value
    throw invalid('"facts" must be null or an object')
  },
}

function textOf(what: string, value: JsonValue, most: number): string {
  if (typeof value === 'string' && [...value].length <= most) return value
  throw invalid(`"${what}" must be null or a string of at most ${most} characters`)
}

function tagsOf(value: JsonValue): string[] {
  const what = `"tags" must be null or a list of at most ${TAGS} strings of 1 to ${TAG_CHARACTERS} characters`
  if (!Array.isArray(value)) throw invalid(what)
  const tags = new Set<string>()
  for (const tag of value) {
    if (typeof tag !== 'string' || tag === '' || [...tag].length > TAG_CHARACTERS) throw invalid(what)
    tags.add(tag)
  }
  if (tags.size > TAGS) throw invalid(what)
  return [...tags]
}

/** @throws McbError `invalid_about` when the facts that result are too long or too deep */
export function applyPatch(about: About, patch: AboutPatch): About {
  const { name, tags, notes, archived } = patch
  const facts = patch.facts === undefined ? about.facts : patch.facts === null ? {} : merged(about.facts, patch.facts)
  if (patch.facts && utf8Length(jsonText(facts)) > FACTS_BYTES) {
    throw invalid(`"facts" would exceed ${FACTS_BYTES} bytes as JSON`)
  }
  return {
    name: name === undefined ? about.name : name,
    tags: tags === undefined ? about.tags : (tags ?? []),
    notes: notes === undefined ? about.notes : notes,
    archived: archived === undefined ? about.archived : (archived ?? false),
    facts,
  }
}

/**
 * A patch as JSON has it, whatever its caller has put into it: members that are undefined are absent, and dates are texts.
 *
 * @throws McbError `invalid_about` for a value that JSON has not, such as NaN
 */
export function plainPatch({ name, tags, notes, archived, facts }: AboutPatch): AboutPatch {
  const plain = plainValue({ name, tags, notes, archived, facts }, 'the patch', 0)
  return parsePatch(plain ?? {})
}

function plainValue(value: unknown, place: string, depth: number): JsonValue | undefined {
  if (depth > FACTS_DEPTH + 2) throw invalid(`${place} nests too deep, or in a circle`)
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'number' && !Number.isFinite(value)) throw invalid(`${place} is ${value}, which JSON has not`)
  if (value === null || ['string', 'boolean', 'bigint', 'number'].includes(typeof value)) return toScalar(value)
  if (value === undefined) return undefined
  if (Array.isArray(value)) return value.map((item, i) => plainValue(item, `${place}[${i}]`, depth + 1) ?? null)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (typeof value !== 'object' || (prototype !== Object.prototype && prototype !== null)) {
    throw invalid(`${place} is no plain object, list, string, number, bool or null`)
  }
  const members = Object.entries(value).flatMap(([key, member]) => {
    const plain = plainValue(member, depth === 0 ? key : `${place}.${key}`, depth + 1)
    return plain === undefined ? [] : [[key, plain] as const]
  })
  return Object.fromEntries(members)
}

function toScalar(value: unknown): JsonValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  return typeof value === 'number' || typeof value === 'bigint' ? value : null
}

/** The text of a patch of `plainPatch`. */
export function patchText(plain: AboutPatch): string {
  return jsonText({ ...plain })
}

/** True where a patch of `plainPatch` changes nothing of `about`: it may have been applied before. */
export function isMadeBy(about: About, plain: AboutPatch): boolean {
  return writeAbout(applyPatch(about, plain)) === writeAbout(about)
}

/** RFC 7396, section 2. Members are defined and not assigned: a name may be `__proto__`. */
function merged(target: JsonValue | undefined, patch: JsonObject, depth = 1): JsonObject {
  if (depth > FACTS_DEPTH) throw invalid(`"facts" must not nest deeper than ${FACTS_DEPTH} levels`)
  const members = new Map<string, JsonValue>(isObject(target) ? Object.entries(target) : [])
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name)
    else if (isObject(value)) members.set(name, merged(members.get(name), value, depth + 1))
    else members.set(name, withinDepth(value, depth + 1))
  }
  return Object.fromEntries(members)
}

function withinDepth(value: JsonValue, depth: number): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  if (depth > FACTS_DEPTH) throw invalid(`"facts" must not nest deeper than ${FACTS_DEPTH} levels`)
  for (const item of Object.values(value)) withinDepth(item, depth + 1)
  return value
}

export function shownOf({ name, tags, archived, facts }: About): ShownAbout {
  return { name, tags, archived, folded: fold(name ?? ''), finished: isFinished(facts), expected: expectedOf(facts) }
}

function isFinished({ finishedAt }: JsonObject): boolean {
  return typeof finishedAt === 'string' ? finishedAt !== '' : typeof finishedAt === 'number'
}

function expectedOf({ expected }: JsonObject): number | null {
  if (!isObject(expected) || !isCount(expected.draws)) return null
  const { draws, warmup = 0 } = expected
  if (!isCount(warmup)) return null
  return Math.min(draws + warmup, Number.MAX_SAFE_INTEGER)
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

interface Progress extends Pick<ShownAbout, 'finished' | 'expected'> {
  readonly updatedAt: Date
  readonly chains: number
  /** Length of the shortest chain; 0 without chains. */
  readonly shortest: number
}

export function stateOf({ finished, expected, updatedAt, chains, shortest }: Progress, now: number): RunState {
  if (finished || (expected !== null && chains > 0 && shortest >= expected)) return 'done'
  return now - updatedAt.getTime() <= LIVE_MS ? 'live' : 'silent'
}

/** The document that a store keeps; the empty text stands for `NO_ABOUT`. */
export function writeAbout({ name, tags, notes, archived, facts }: About): string {
  return jsonText({ name, tags, notes, archived, facts })
}

/** The document as it was written: null within its facts is a value, and no deletion. */
export function readAbout(document: string): About {
  if (document === '') return NO_ABOUT
  const given = parseJson(document)
  const { facts = {}, ...more } = isObject(given) ? given : {}
  return { ...applyPatch(NO_ABOUT, parsePatch(more)), facts: isObject(facts) ? facts : {} }
}

export function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length
}

function invalid(detail: string): McbError {
  return new McbError('invalid_about', detail)
}
