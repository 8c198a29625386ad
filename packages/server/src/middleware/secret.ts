/** Whose browser asks: the secret of its cookie in `Authorization: Avow`, which alone may see or change what it chose. */
import type { Context } from 'hono'
import { isSecret } from '../consent/record.js'
import { Refusal } from '../problem.js'

/** The secret, or null where the request shows none: also for whatever is no secret. */
export function shownSecret(c: Context): string | null {
  const secret = /^Avow ([\w-]{22})$/.exec(c.req.header('authorization') ?? '')?.[1]
  return secret !== undefined && isSecret(secret) ? secret : null
}

/** The secret, or null where the request shows none. Throws a `Refusal` (401) for what is no secret. */
export function readSecret(c: Context): string | null {
  const secret = shownSecret(c)
  if (secret === null && c.req.header('authorization') !== undefined) {
    throw new Refusal('unauthorized', 'send the secret of the cookie as Authorization: Avow …, or nothing', {
      headers: { 'www-authenticate': 'Avow' },
    })
  }
  return secret
}
