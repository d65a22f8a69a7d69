/**
 * API keys: `mcb_<id>_<secret>`, all in base 62.
 *
 * - The id names the key, in lists and logs. Its last 6 characters are an authentication code that only the server can
 *   make: an id that somebody invents is known for one without asking a database.
 * - The secret is 26 random characters (154 bits) and a checksum of 6 over all before it, so that a key is recognised in a
 *   text that leaked, and one that was copied badly is refused before anything is looked up.
 *
 * Of a key the server keeps its SHA-256. A hash made slow for passwords would add nothing: there is no list of likely
 * secrets of 154 random bits.
 */

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const NAME_LENGTH = 12
const CODE_LENGTH = 6
const SECRET_LENGTH = 26
const CHECKSUM_LENGTH = 6

const ID = `[0-9A-Za-z]{${NAME_LENGTH + CODE_LENGTH}}`
const KEY = new RegExp(`^mcb_(${ID})_[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`)
const KEYS_IN_TEXT = /mcb_([0-9A-Za-z]+)_[0-9A-Za-z]+/g

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

/** What is kept of a key: its SHA-256 in base64. */
export async function hashOf(key: string): Promise<string> {
  return base64(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)))
}

/** The text without the secrets of the keys in it. */
export function withoutKeys(text: string): string {
  return text.includes('mcb_') ? text.replace(KEYS_IN_TEXT, 'mcb_$1_…') : text
}

/** Compares in a time that does not depend on where two texts differ. */
export function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % Math.max(1, b.length))
  return difference === 0
}

/** Makes the ids of keys, and knows its own. */
export class KeyIds {
  private readonly key: ReturnType<typeof crypto.subtle.importKey>

  /** @param secret the same wherever the ids are to be known */
  constructor(secret: string) {
    const bytes = new TextEncoder().encode(secret)
    this.key = crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  }

  async make(): Promise<string> {
    const name = randomDigits(NAME_LENGTH)
    return name + (await this.codeOf(name))
  }

  async isOwn(id: string): Promise<boolean> {
    return equalInConstantTime(await this.codeOf(id.slice(0, NAME_LENGTH)), id.slice(NAME_LENGTH))
  }

  private async codeOf(name: string): Promise<string> {
    const mac = await crypto.subtle.sign('HMAC', await this.key, new TextEncoder().encode(name))
    return digitsOf(new DataView(mac).getUint32(0), CODE_LENGTH)
  }
}

/** A secret of the server itself: 256 random bits. */
export function newSecret(): string {
  return base64(crypto.getRandomValues(new Uint8Array(32)).buffer)
}

function base64(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
}

/** Evenly distributed: bytes beyond the last whole multiple of 62 are left out. */
function randomDigits(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(2 * length))) {
      if (byte < 248 && text.length < length) text += DIGITS[byte % 62]
    }
  }
  return text
}

/** A number below 2^32 has at most 6 digits. */
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
