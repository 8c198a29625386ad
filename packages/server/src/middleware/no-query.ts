/** For routes that take no parameters: one that is passed over in silence would look like one that was obeyed. */
import { createMiddleware } from 'hono/factory'
import { InputError } from '../problem.js'

/** Refuses a query by the name of its first parameter. */
export const noQuery = createMiddleware(async (c, next) => {
  const [name] = Object.keys(c.req.query())
  if (name !== undefined) throw new InputError(name || 'query', 'no such field')
  await next()
})
