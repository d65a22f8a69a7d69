/** A page of a few files, with the codings that its build makes. */
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { type Coding, mediaTypeOf, type PageFile, type PageFiles } from '../../src/http/page-files.ts'

/** The files by their names; those that end in `.png` have no other codings. */
export async function pageOf(texts: Readonly<Record<string, string>>): Promise<PageFiles> {
  const files = new Map<string, PageFile>()
  for (const [name, text] of Object.entries(texts)) {
    const body = new TextEncoder().encode(text)
    const made: readonly [Coding, Uint8Array<ArrayBuffer>][] = [
      ['br', Uint8Array.from(brotliCompressSync(body))],
      ['gzip', Uint8Array.from(gzipSync(body))],
    ]
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', body)).toString('hex')
    files.set(name, { type: mediaTypeOf(name), digest, body, coded: new Map(name.endsWith('.png') ? [] : made) })
  }
  return (name) => files.get(name)
}
