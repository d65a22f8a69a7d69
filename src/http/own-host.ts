/**
 * Requests that are meant for this server. Without keys, nothing else keeps web pages away: a page whose own host name is
 * made to point at 127.0.0.1 (DNS rebinding) is of one origin with the server, as far as a browser knows.
 */

const HOST = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]\\]+)(?::\d{0,5})?$/i
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`)

/** A name as it is compared: that with a final dot is the same one (RFC 1034, section 3.1). */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

/** The host name of a `Host` header in lower case, without port and final dot; undefined when it is malformed. */
function hostNameIn(host: string): string | undefined {
  const name = HOST.exec(host)?.[1]
  return name === undefined ? undefined : plainName(name)
}

/**
 * True for the text of a `Host` header that names this server: by an address, which nobody's name server can make up, by a name
 * of loopback, which never reaches a name server (RFC 6761), or by one of `names` (as `plainName` gives them). Ports do not matter.
 */
export function isOwnHost(host: string, names: ReadonlySet<string>): boolean {
  const name = hostNameIn(host)
  if (name === undefined) return false
  if (name === 'localhost' || name.endsWith('.localhost') || names.has(name)) return true
  return name.startsWith('[') ? URL.canParse(`http://${name}/`) : IPV4.test(name)
}

/** True for a page of this origin that was served under this host, be it over TLS that ends before this server. */
export function isOriginOf(origin: string, host: string): boolean {
  const page = URL.parse(origin)
  if (page?.protocol !== 'http:' && page?.protocol !== 'https:') return false
  return page.origin === URL.parse(`${page.protocol}//${host}/`)?.origin
}

/** The host of an absolute address, with its port, as it stands there. */
export function hostOf(url: string): string {
  const begin = url.indexOf('//') + 2
  const end = url.slice(begin).search(/[/?#]/)
  return end < 0 ? url.slice(begin) : url.slice(begin, begin + end)
}
