/** Whose browser asks: the secret of its cookie in `Authorization: Avow`, which alone may see or change what it chose. */
import type { Context } from 'hono'
import { isSecret } from '../consent/record.js'
import { Refusal } from '../problem.js'

/** The secret, or null where the request shows none. Throws a `Refusal` (401) for what is no secret. */
export function readSecret(c: Context): string | null {
  const header = c.req.header('authorization')
  if (header === undefined) return null
  const secret = /^Avow ([\w-]{22})$/.exec(header)?.[1]
  if (secret === undefined || !isSecret(secret)) {
    throw new Refusal('unauthorized', 'send the secret of the cookie as Authorization: Avow …, or nothing', {
      headers: { 'www-authenticate': 'Avow' },
    })
  }
  return secret
}
