/** Texts without the secrets of API keys (src/access/key-format.ts), for logs and messages. */

/** A character in percent-encoding, however often it was applied. */
const encoded = (hex: string) => `%(?:25)*${hex}`
const letter = (plain: string, hex: string) => `(?:${plain}|${encoded(`[46]${hex}`)})`
const UNDERSCORE = `(?:_|${encoded('5f')})`
const DIGIT = `(?:[0-9a-z]|${encoded('(?:3[0-9]|[46][1-9a-f]|[57][0-9a])')})`
/** A key in any spelling, and also where its end is missing. */
const KEYS_IN_TEXT = new RegExp(
  `${letter('m', 'd')}${letter('c', '3')}${letter('b', '2')}${UNDERSCORE}(${DIGIT}+)${UNDERSCORE}${DIGIT}+`,
  'gi',
)
/** A scheme's name, and behind it a key or a text that was meant for one. */
const CREDENTIALS = /\b(basic|bearer)((?:[\s+:]|%(?:25)*20)+)[^\s"'&]+/gi
/** `mcb_` in base64, at each of its three places among the bytes. */
const KEY_IN_BASE64 = /bWNiX|1jYl[89]|tY2Jf/
/** The place of a share key in a path, and all that stands there: half a key is no key, and still a secret. */
const SHARED_PATHS = /(^|[\s"'(]|:\/\/[^\s/"']*)\/s\/[^\s/?#"']+/gi
const WORDS = /[\w%+/=-]{20,}/g
/** Every text with a key has one of these, and nearly no other text has. */
const SUSPICIOUS = /\/s\/|mcb_|%|basic|bearer|bWNiX|1jYl|tY2Jf/i

/** The text without the secrets of the keys in it, in any spelling: percent-encoded, in base64, in other case. */
export function withoutKeys(text: string): string {
  if (!SUSPICIOUS.test(text)) return text
  return text
    .replace(CREDENTIALS, '$1$2…')
    .replace(SHARED_PATHS, '$1/s/…')
    .replace(KEYS_IN_TEXT, 'mcb_$1_…')
    .replace(WORDS, (word) => (hidesKey(percentDecoded(word)) ? '…' : word))
}

function hidesKey(word: string): boolean {
  return KEY_IN_BASE64.test(word) || word.search(KEYS_IN_TEXT) >= 0
}

/** The text without percent-encoding of ASCII, however often it was applied. */
export function percentDecoded(text: string): string {
  let last = text
  for (let round = 0; round < 8 && last.includes('%'); round++) {
    last = last.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
  return last
}
