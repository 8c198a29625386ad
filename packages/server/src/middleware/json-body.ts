/** Bodies: JSON only, and no larger than the route takes. */
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../problem.js'

/** A submission is under 1 KiB; the rest is room for sites with many categories. */
export const BODY_LIMIT_BYTES = 16 * 1024

export const requireJson = createMiddleware(async (c, next) => {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new Refusal('unsupported-media-type', 'send the body as application/json', { field: 'content-type' })
  await next()
})

function refuse(): never {
  throw new Refusal('too-large', `at most ${BODY_LIMIT_BYTES} bytes`, { field: 'body' })
}

const limitStream = bodyLimit({ maxSize: BODY_LIMIT_BYTES, onError: refuse })

/** A stated length is kept to by HTTP itself; only a body without one is counted while it is read, which costs far more. */
export const limitBody = createMiddleware(async (c, next) => {
  const length = c.req.header('content-length')
  if (length === undefined) return limitStream(c, next)
  if (!(Number(length) <= BODY_LIMIT_BYTES)) refuse()
  await next()
})
