/**
 * API keys: `mcb_<id>_<secret>`, all in base 62.
 *
 * - The id names the key, in lists and logs. Its last 6 characters are an authentication code that only the server can
 *   make: an id that somebody invents is known for one without asking a database.
 * - The secret is 26 random characters (154 bits) and a checksum of 6 over all before it, so that a key is recognised in a
 *   text that leaked, and one that was copied badly is refused before anything is looked up.
 *
 * The server keeps the SHA-256 of a key. A hash made slow for passwords would add nothing: there is no list of likely
 * secrets of 154 random bits.
 */

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const NAME_LENGTH = 12
const CODE_LENGTH = 6
const SECRET_LENGTH = 26
const CHECKSUM_LENGTH = 6

const ID = `[0-9A-Za-z]{${NAME_LENGTH + CODE_LENGTH}}`
const KEY = new RegExp(`^mcb_(${ID})_[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`)
/** A whole key, as a regular expression. */
export const KEY_PATTERN = KEY.source

/** The id in a key; undefined for a text that is no key, or was copied badly. */
export function keyIdOf(text: string): string | undefined {
  const id = KEY.exec(text)?.[1]
  if (id === undefined) return undefined
  const body = text.length - CHECKSUM_LENGTH
  return checksumOf(text.slice(0, body)) === text.slice(body) ? id : undefined
}

export function isKeyId(text: string): boolean {
  return text.length === NAME_LENGTH + CODE_LENGTH && /^[0-9A-Za-z]+$/.test(text)
}

/** A new key for an id that `KeyIds` made. */
export function newKey(id: string): string {
  const body = `mcb_${id}_${randomDigits(SECRET_LENGTH)}`
  return body + checksumOf(body)
}

/** The SHA-256 of a key in base64: all that is kept of it. */
export async function hashOf(key: string): Promise<string> {
  return base64(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)))
}

/** Compares in a time that does not depend on where two texts differ. */
export function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % Math.max(1, b.length))
  return difference === 0
}

/**
 * Makes the ids of keys, and knows its own.
 *
 * The code is a HalfSipHash: made for short messages, and three hundred times as cheap as an HMAC of the platform, which
 * every guess would cost. It guards the database against look-ups; the keys are guarded by their secrets.
 */
export class KeyIds {
  private readonly low: number
  private readonly high: number

  /** @param secret bytes in base64, from `newSecret`; the same wherever the ids are to be known */
  constructor(secret: string) {
    const bytes = Uint8Array.from(atob(secret), (character) => character.charCodeAt(0))
    const view = new DataView(bytes.buffer)
    this.low = view.getUint32(0, true)
    this.high = view.getUint32(4, true)
  }

  make(): string {
    const name = randomDigits(NAME_LENGTH)
    return name + this.codeOf(name)
  }

  isOwn(id: string): boolean {
    return equalInConstantTime(this.codeOf(id.slice(0, NAME_LENGTH)), id.slice(NAME_LENGTH))
  }

  private codeOf(name: string): string {
    return digitsOf(halfSipHash(name, this.low, this.high), CODE_LENGTH)
  }
}

/** A secret of the server itself: 256 random bits. */
export function newSecret(): string {
  return base64(crypto.getRandomValues(new Uint8Array(32)).buffer)
}

function base64(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
}

/** Random digits, evenly distributed: bytes beyond the last whole multiple of 62 are left out. */
function randomDigits(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(2 * length))) {
      if (byte < 248 && text.length < length) text += DIGITS[byte % 62]
    }
  }
  return text
}

/** The digits of a number, with zeros before them; one below 2^32 has at most 6. */
function digitsOf(number: number, length: number): string {
  let text = ''
  for (let rest = number; text.length < length; rest = Math.floor(rest / 62)) text = DIGITS[rest % 62] + text
  return text
}

function checksumOf(text: string): string {
  return digitsOf(crc32(text), CHECKSUM_LENGTH)
}

/** CRC-32 as in zip and PNG (ISO 3309), of ASCII. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  return crc
})

function crc32(text: string): number {
  let crc = 0xffffffff
  for (let i = 0; i < text.length; i++) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ text.charCodeAt(i)) & 0xff] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}

/** HalfSipHash-2-4 with 32 bits, of ASCII; see halfsiphash.c in https://github.com/veorq/SipHash */
export function halfSipHash(text: string, low: number, high: number): number {
  const v: SipState = [low, high, low ^ 0x6c796765, high ^ 0x74656462]
  const whole = text.length & ~3
  for (let at = 0; at < whole; at += 4) absorb(v, wordAt(text, at, 4), 2)
  absorb(v, (text.length << 24) | wordAt(text, whole, text.length - whole), 2)
  v[2] ^= 0xff
  for (let round = 0; round < 4; round++) sipRound(v)
  return (v[1] ^ v[3]) >>> 0
}

type SipState = [number, number, number, number]

function absorb(v: SipState, word: number, rounds: number): void {
  v[3] ^= word
  for (let round = 0; round < rounds; round++) sipRound(v)
  v[0] ^= word
}

function wordAt(text: string, at: number, bytes: number): number {
  let word = 0
  for (let i = 0; i < bytes; i++) word |= text.charCodeAt(at + i) << (8 * i)
  return word
}

function sipRound(v: SipState): void {
  v[0] = (v[0] + v[1]) | 0
  v[1] = rotated(v[1], 5) ^ v[0]
  v[0] = rotated(v[0], 16)
  v[2] = (v[2] + v[3]) | 0
  v[3] = rotated(v[3], 8) ^ v[2]
  v[0] = (v[0] + v[3]) | 0
  v[3] = rotated(v[3], 7) ^ v[0]
  v[2] = (v[2] + v[1]) | 0
  v[1] = rotated(v[1], 13) ^ v[2]
  v[2] = rotated(v[2], 16)
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
