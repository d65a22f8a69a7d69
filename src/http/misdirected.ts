/** 421 for requests that are not meant for this server, before anything else is looked at; see docs/protocol.md §12. */
import type { MiddlewareHandler } from 'hono'
import { McbError } from '../core/errors.ts'
import type { AppEnv } from './context.ts'
import { hostOf, isOriginOf, isOwnHost, plainName } from './own-host.ts'

export interface OwnAddress {
  /** Host names of this server beside addresses, those of loopback and that of `publicUrl`. */
  readonly hosts: readonly string[]
  /** Origins of web pages that may send requests; `*` is all. */
  readonly origins: readonly string[]
  readonly publicUrl?: string
}

/** Characters of a name that an error repeats. */
const SHOWN = 100

export function misdirected({ hosts, origins, publicUrl }: OwnAddress): MiddlewareHandler<AppEnv> {
  const ours = publicUrl === undefined ? undefined : new URL(publicUrl)
  const names = new Set([...hosts, ...(ours === undefined ? [] : [ours.hostname])].map(plainName))
  const allowed = new Set([
    ...origins,
    ...(ours === undefined ? [] : [ours.origin, ours.origin.replace(/\.(?=:\d+$|$)/, '')]),
  ])
  const requireOwn = (host: string) => {
    if (isOwnHost(host, names)) return
    const detail = `"${host.slice(0, SHOWN)}" is no name of this server; its operator lists further ones in MCB_HOSTS`
    throw new McbError('misdirected_request', detail)
  }
  /** The host of the last request that came to the right place, and how its address began: nearly all are as it was. */
  let known = { host: '', begin: '' }

  return (c, next) => {
    const { url } = c.req
    // HTTP/1.0 may lack the header.
    const host = c.req.header('Host') ?? ''
    if (host !== known.host || known.begin === '' || !url.startsWith(known.begin)) {
      // A target in absolute form takes the header's place (RFC 9112, section 3.2.2).
      const target = hostOf(url)
      requireOwn(host || target)
      requireOwn(target)
      const begin = url.slice(0, url.indexOf('//') + 2 + target.length + 1)
      // With the slash behind the host: else the beginning of a longer one would do.
      known = { host, begin: begin.endsWith('/') ? begin : '' }
    }
    const origin = c.req.header('Origin')
    if (origin !== undefined && !allowed.has('*') && !allowed.has(origin) && !isOriginOf(origin, hostOf(url))) {
      const detail = `pages of "${origin.slice(0, SHOWN)}" may not use this server; its operator lists those that may in MCB_CORS_ORIGINS`
      throw new McbError('misdirected_request', detail)
    }
    return next()
  }
}
