/** The address that a request comes from: that of its connection, or the one that the operator's own proxies tell. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { AddressOf } from '../http/context.ts'
import { messagesIn } from './messages.ts'

/** True for an address whose `X-Forwarded-For` is believed, behind so many other proxies of the operator. */
type IsTrusted = (address: string, proxiesBefore: number) => boolean

/**
 * @param trusted as in MCB_TRUST_PROXY: how many proxies there are, or their addresses and networks with commas between
 * @throws Error with one sentence that says what to set
 */
export function clientAddresses(trusted: string | undefined): AddressOf {
  const isTrusted = trustIn(trusted ?? '')
  return (c) => {
    const { request } = messagesIn(c.env) ?? {}
    return request && clientAddress(request, isTrusted)
  }
}

/**
 * Each proxy adds its own client at the right, and anybody may have put anything to the left of that: so the last
 * address that none of the operator's own proxies has is the one that is known.
 */
function clientAddress({ socket, headers }: IncomingMessage, isTrusted: IsTrusted): string | undefined {
  let address = socket.remoteAddress
  if (address === undefined) return undefined
  const said = headers['x-forwarded-for']
  const hops = (Array.isArray(said) ? said.join(',') : (said ?? '')).split(',')
  for (let proxies = 0; isTrusted(address, proxies); proxies++) {
    const next = addressIn(hops.pop() ?? '')
    if (next === undefined) break
    address = next
  }
  return address
}

/** The address in an entry, to which some proxies add the port. */
function addressIn(hop: string): string | undefined {
  const text = hop.trim().replace(/^"(.*)"$/, '$1')
  const address = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  return isIP(address) === 0 ? undefined : address
}

function trustIn(text: string): IsTrusted {
  if (text === '') return () => false
  if (/^[1-9]\d?$/.test(text)) {
    const count = Number(text)
    return (_address, proxiesBefore) => proxiesBefore < count
  }
  const list = new BlockList()
  for (const entry of text.split(',')) addTo(list, entry.trim())
  return (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function addTo(list: BlockList, entry: string): void {
  const [address = '', prefix, ...rest] = entry.split('/')
  const version = isIP(address)
  const bits = version === 6 ? 128 : 32
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN
  if (version === 0 || rest.length > 0 || !(length <= bits)) {
    throw new Error(
      `MCB_TRUST_PROXY must be the number of proxies in front of this server, or their addresses as 127.0.0.1,10.0.0.0/8, not "${entry}".`,
    )
  }
  list.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4')
}
