/**
 * The cookie of the decision, set once more as the browser sent it: what HTTP sets from the page's own host outlives the
 * deletion that some browsers have in store for what scripts wrote. The server composes none itself, so an answer can never
 * say something that the browser didn't.
 */
import type { Context } from 'hono'

/** A decision with many categories is a few hundred bytes. */
const VALUE_LIMIT = 1024
/** What a browser may keep longest (RFC 6265bis §5.5). */
const LONGEST_DAYS = 400

/** Sets it on the answer to `c`, where there is one to set. `domain`: see the site's options. */
export type Carry = (c: Context, domain: string | undefined, maxAgeDays: number) => void

/** `publicUrl` decides the cookie's name and attributes, and not the socket, which may be a proxy's. */
export function createCarry(publicUrl: string): Carry {
  const { origin: own, protocol } = new URL(publicUrl)
  const secure = protocol === 'https:'
  return (c, domain, maxAgeDays) => {
    const header = c.req.header('cookie')
    if (header === undefined) return
    const origin = c.req.header('origin')
    // A page elsewhere shares no cookie with this host, unless the site says so.
    if (origin !== undefined && origin !== own && domain === undefined) return
    const name = `${secure ? (domain === undefined ? '__Host-' : '__Secure-') : ''}avow=`
    const [pair, second] = header
      .split(';')
      .map((one) => one.trim())
      .filter((one) => one.startsWith(name))
    // Two of a name: one was planted, and nobody can say which.
    if (pair === undefined || second !== undefined) return
    const value = pair.slice(name.length)
    if (value.length > VALUE_LIMIT || !/^[\w.~%-]+$/.test(value)) return
    c.header(
      'set-cookie',
      `${pair}; Max-Age=${Math.min(maxAgeDays, LONGEST_DAYS) * 86_400}; Path=/; SameSite=Lax` +
        (secure ? '; Secure' : '') +
        (domain === undefined ? '' : `; Domain=${domain}`),
    )
  }
}
