/** The page's files, read from the folder that scripts/page.mjs has built. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Coding, mediaTypeOf, type PageFile, type PageFiles } from '../http/page-files.ts'

/** In a checkout and in the package alike. */
const FOLDER = fileURLToPath(new URL('../../dist/page/ui', import.meta.url))

const CODED = { br: '.br', gzip: '.gz' } as const
const CODINGS: readonly Coding[] = ['br', 'gzip']

/** Reads all files into memory; undefined where there is no page. */
export function readPage(folder = FOLDER): PageFiles | undefined {
  const bytes = new Map<string, Uint8Array<ArrayBuffer>>()
  try {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      bytes.set(relative(folder, path).replaceAll(sep, '/'), Uint8Array.from(readFileSync(path)))
    }
  } catch {
    return undefined
  }
  const files = new Map<string, PageFile>()
  for (const [name, body] of bytes) {
    if (name.endsWith(CODED.br) || name.endsWith(CODED.gzip)) continue
    const coded = new Map<Coding, Uint8Array<ArrayBuffer>>()
    for (const coding of CODINGS) {
      const made = bytes.get(`${name}${CODED[coding]}`)
      if (made !== undefined) coded.set(coding, made)
    }
    const digest = createHash('sha256').update(body).digest('hex').slice(0, 32)
    files.set(name, { type: mediaTypeOf(name), digest, body, coded })
  }
  return files.has('index.html') ? (name) => files.get(name) : undefined
}
