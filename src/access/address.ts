/** The network that an IP address belongs to, for counting requests from there. */

const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i

/**
 * The address itself for IPv4, also where it is written as IPv6; the network of 64 bits for IPv6, since the holder of one
 * address usually holds all of its network.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [bare = ''] = address.split('%')
  const mapped = MAPPED.exec(bare)?.[1]
  if (mapped !== undefined) return mapped
  const canonical = URL.parse(`http://[${bare}]/`)?.hostname.slice(1, -1)
  if (canonical === undefined) return address
  const [head = '', tail] = canonical.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    while (groups.length + after.length < 8) groups.push('0')
    groups.push(...after)
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}
