/** Texts in statements: a body takes more of them than the parameters of a URL. */
import { toBase64 } from '../../core/wire/run-meta-json.ts'

/**
 * A text in SQL, whatever it holds. Parameters travel in the URL, which all the tags and attributes that a question may name would
 * make too long for servers and proxies; the statement travels in the body. With each text once it stays below 256 KiB, which
 * is the most that a server takes.
 */
export function literal(text: string): string {
  return `base64Decode('${toBase64(new TextEncoder().encode(text))}')`
}
