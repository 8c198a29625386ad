/** What a request asked for, as the access log keeps it: what could be somebody as a keyed index, the rest in clear. Pure. */
import type { Blinder } from '../vault/blind.js'

/** Enumerations, numbers and times: nothing that could be a person. Whatever isn't named here is kept as an index. */
const CLEAR = new Set(
  'site path log limit order format from to asOf action choice category state granted denied language layer gpc clock interval by version dryRun'.split(
    ' ',
  ),
)

/**
 * And nothing but such a value: under a name that is kept in clear somebody may send what they like. A consent id is longer,
 * and so is a record's.
 */
const PLAIN = /^[\w.:,/+-]{1,32}$/

/** The other names that a route knows. */
const NAMES = new Set(['subject', 'account', 'id', 'record', 'after', 'who', 'route'])

/** More than any route has; what goes beyond is refused by the route anyway. */
const FILTERS_LIMIT = 32

/** Where the next page begins says nothing of what is asked for. */
const PASSED_OVER = new Set(['cursor'])

/** `named`: what the address and the query say, by name. `account`: from its header, where one is looked up. */
export function asked(
  named: readonly (readonly [name: string, value: string])[],
  account: string | undefined,
  blind: Blinder,
): Record<string, string> {
  const told = named.filter(([name]) => !PASSED_OVER.has(name)).slice(0, FILTERS_LIMIT)
  const kept = told.map(([name, value]) =>
    // A name may be made up, too, and be somebody's.
    CLEAR.has(name) || NAMES.has(name) ? [name, keep(name, value, blind)] : ['other', encode(blind.asked(name, value))],
  )
  return {
    ...Object.fromEntries(kept),
    ...(account === undefined ? {} : { account: encode(blind.account(account)) }),
  }
}

/** As a subject is looked for in the access log. */
export const askedSubject = (subject: string, blind: Blinder): string => encode(blind.subject(subject))

const encode = (index: Uint8Array) => Buffer.from(index).toString('base64url')

function keep(name: string, value: string, blind: Blinder): string {
  if (CLEAR.has(name) && PLAIN.test(value)) return value
  if (name === 'subject') return askedSubject(value, blind)
  if (name === 'account') return encode(blind.account(value))
  // Of an API key it is public.
  if (name === 'id' && /^key_[\w-]{12}$/.test(value)) return value
  return encode(blind.asked(name, value))
}
