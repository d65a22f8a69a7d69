/** Lists of a folder for programs that write objects over HTTP: WebDAV's PROPFIND (RFC 4918), and a page of links. */

/** An entry, by its path from the root of what is listed; a folder's ends with a slash. */
export interface Entry {
  readonly path: string
  readonly size: number
}

export type Depth = '0' | '1' | 'infinity'

export const MULTISTATUS_TYPE = 'application/xml; charset=utf-8'

/** Entries of a folder as objects' paths tell them: itself, and what is in it. Undefined where there is nothing of this path. */
export function entriesOf(paths: readonly string[], folder: string, depth: Depth): Entry[] | undefined {
  if (folder !== '' && paths.includes(folder)) return [{ path: folder, size: 0 }]
  const head = folder === '' ? '' : `${folder}/`
  const inside = paths.filter((path) => path.startsWith(head))
  if (inside.length === 0) return undefined
  const found = new Set<string>()
  if (depth !== '0') {
    for (const path of inside) {
      const rest = path.slice(head.length)
      const slash = rest.indexOf('/')
      found.add(head + (depth === 'infinity' || slash < 0 ? rest : rest.slice(0, slash + 1)))
    }
  }
  return [head, ...[...found].sort()].map((path) => ({ path, size: 0 }))
}

/**
 * An answer to PROPFIND. Its links begin at the root of what is listed, and not of the server: Rust's object_store takes them so.
 */
export function multistatus(entries: readonly Entry[]): string {
  const responses = entries.map(({ path, size }) => {
    const isFolder = path === '' || path.endsWith('/')
    const type = isFolder
      ? '<D:resourcetype><D:collection/></D:resourcetype>'
      : `<D:getcontentlength>${size}</D:getcontentlength><D:resourcetype/>`
    const properties = `<D:prop><D:getlastmodified>${EPOCH}</D:getlastmodified>${type}</D:prop>`
    const status = '<D:status>HTTP/1.1 200 OK</D:status>'
    return `<D:response><D:href>/${escaped(quoted(path))}</D:href><D:propstat>${properties}${status}</D:propstat></D:response>`
  })
  return `<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:">${responses.join('')}</D:multistatus>`
}

/** A time that changes with nothing: those who write look at names alone. */
const EPOCH = 'Thu, 01 Jan 1970 00:00:00 GMT'

/** A page of links, by which fsspec lists a folder. @param address path of the folder, which ends with a slash */
export function indexPage(entries: readonly Entry[], address: string): string {
  const [self, ...inside] = entries
  const links = inside.map(({ path }) => {
    const name = path.slice((self?.path ?? '').length)
    return `<li><a href="${escaped(address + quoted(name))}">${escaped(name)}</a></li>`
  })
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Index</title></head><body><ul>${links.join('')}</ul></body></html>`
}

function quoted(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character)
}
