/** Callers on this machine: they connect by loopback, and no proxy has passed their request on. */
import type { IsLocal } from '../http/context.ts'
import { messagesIn } from './messages.ts'

/** Headers that proxies add. Without keys a proxy on this machine may pass on what anybody sends. */
const OF_PROXIES = ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip'] as const

const LOOPBACK = /^(?:::ffff:)?127(?:\.\d{1,3}){3}$|^::1$/

export const isLocalCaller: IsLocal = (c) => {
  const { request } = messagesIn(c.env) ?? {}
  if (request === undefined || OF_PROXIES.some((name) => request.headers[name] !== undefined)) return false
  return LOOPBACK.test(request.socket.remoteAddress ?? '')
}
