/**
 * So many requests a minute from one address. Addresses are kept only as keyed hashes, a whole /64 for IPv6 as one, and
 * for no longer than their minute.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { isIPv6 } from 'node:net'
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../problem.js'

const WINDOW_MS = 60_000

/** Addresses remembered at once. A flood from more than this many forgets the oldest; memory stays bounded. */
const ADDRESS_LIMIT = 100_000

/** What one household or host can't change at will: all of an IPv4 address, the first half of an IPv6 one. */
function prefixOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter(Boolean)
  const last = tail === undefined ? [] : tail.split(':').filter(Boolean)
  const zeros = tail === undefined ? 0 : 8 - groups.length - last.length
  return [...groups, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...last].slice(0, 4).join(':')
}

/** `limit`: requests a minute, null for none. `now` gives Unix milliseconds. */
export function rateLimit(limit: number | null, addressOf: (c: Context) => string, now: () => number) {
  const key = randomBytes(32)
  const windows = new Map<string, { count: number; endsAt: number }>()
  return createMiddleware(async (c, next) => {
    if (limit === null) return next()
    const who = createHmac('sha256', key)
      .update(prefixOf(addressOf(c)))
      .digest('base64url')
    const found = windows.get(who)
    const window = found && found.endsAt > now() ? found : { count: 0, endsAt: now() + WINDOW_MS }
    window.count++
    if (window !== found) {
      windows.delete(who)
      windows.set(who, window)
      // Insertion order is the order of ending: what has ended is in front.
      for (const [old, { endsAt }] of windows) {
        if (endsAt > now() && windows.size <= ADDRESS_LIMIT) break
        windows.delete(old)
      }
    }
    const resetSeconds = Math.max(1, Math.ceil((window.endsAt - now()) / 1000))
    const fields = {
      'ratelimit-policy': `"address";q=${limit};w=${WINDOW_MS / 1000}`,
      ratelimit: `"address";r=${Math.max(0, limit - window.count)};t=${resetSeconds}`,
    }
    if (window.count > limit) {
      throw new Refusal('rate-limited', `wait ${resetSeconds} s`, {
        headers: { ...fields, 'retry-after': String(resetSeconds) },
      })
    }
    // Before there is an answer: afterwards, each field would make it anew.
    for (const [name, value] of Object.entries(fields)) c.header(name, value)
    await next()
  })
}
