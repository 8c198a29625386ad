/** Whose request it is: the socket's address, or what a listed proxy says of it, and nothing else. */
import { BlockList, isIP } from 'node:net'
import type { Context } from 'hono'

/** `proxies`: addresses and CIDR ranges whose `X-Forwarded-For` is believed. Throws on one that is neither. */
export function createClientAddress(proxies: readonly string[]): (c: Context) => string {
  const trusted = new BlockList()
  for (const proxy of proxies) {
    const [address = '', prefix] = proxy.split('/')
    const family = isIP(address)
    if (!family) throw new Error(`trusted proxy ${proxy}: expected an address or a CIDR range`)
    trusted.addSubnet(
      address,
      prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix),
      family === 6 ? 'ipv6' : 'ipv4',
    )
  }
  const isTrusted = (address: string) => {
    const family = isIP(address)
    return family !== 0 && trusted.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
  return (c) => {
    // Absent where there is no socket, under app.request().
    const socket: string = c.env?.incoming?.socket?.remoteAddress ?? 'unknown'
    let address = socket.replace(/^::ffff:/, '')
    // From the right: each proxy appends the address it was called from, and only what a trusted one appended counts.
    const hops = (c.req.header('x-forwarded-for') ?? '')
      .split(',')
      .map((hop) => hop.trim())
      .filter(Boolean)
    while (isTrusted(address) && hops.length > 0) address = hops.pop()!
    return address
  }
}
