/** Files of the page at /ui/, however a platform keeps them. */

/** Codings of a body that the page's build makes beforehand; see scripts/page.mjs. */
export type Coding = 'br' | 'gzip'

export interface PageFile {
  /** Media type. */
  readonly type: string
  /** Digest of the body, in characters that an ETag may have. */
  readonly digest: string
  readonly body: Uint8Array<ArrayBuffer>
  /** The same body in other codings. */
  readonly coded: ReadonlyMap<Coding, Uint8Array<ArrayBuffer>>
}

/** Finds the file of a name under /ui/, such as `index.html`. No other name reaches a file: this looks nothing up in folders. */
export type PageFiles = (name: string) => PageFile | undefined | Promise<PageFile | undefined>

const TYPES = new Map([
  ['html', 'text/html; charset=utf-8'],
  ['js', 'text/javascript; charset=utf-8'],
  ['css', 'text/css; charset=utf-8'],
  ['json', 'application/json'],
  ['webmanifest', 'application/manifest+json'],
  ['txt', 'text/plain; charset=utf-8'],
  ['svg', 'image/svg+xml'],
  ['png', 'image/png'],
  ['ico', 'image/x-icon'],
])

/** The media type of a file, by the end of its name. */
export function mediaTypeOf(name: string): string {
  return TYPES.get(name.slice(name.lastIndexOf('.') + 1)) ?? 'application/octet-stream'
}
