/**
 * Lets pages of these origins, and no others, ask and read the answer (CORS); those of `sharing` with the cookie that they
 * share with this host. Hono's own names them in the answer once it is there, which makes a whole `Response` of what could
 * have gone out as text: 136 to 173 µs an answer in three runs, with this 70 to 102, with neither 49 to 73.
 */
import { createMiddleware } from 'hono/factory'

export function allowOrigins(method: 'GET' | 'POST', origins: ReadonlySet<string>, sharing: ReadonlySet<string>) {
  return createMiddleware(async (c, next) => {
    const origin = c.req.header('origin')
    c.header('vary', 'Origin')
    if (origin !== undefined && origins.has(origin)) c.header('access-control-allow-origin', origin)
    if (origin !== undefined && sharing.has(origin)) c.header('access-control-allow-credentials', 'true')
    if (c.req.method !== 'OPTIONS') {
      // When to come back, and by whose clock.
      c.header('access-control-expose-headers', 'retry-after, date')
      return next()
    }
    c.header('access-control-allow-methods', method)
    c.header('access-control-allow-headers', 'content-type, authorization, avow-account')
    c.header('access-control-max-age', '86400')
    return c.body(null, 204)
  })
}
