/** The account that a privacy team looks up: in a header, never in an address, which proxies write down. */
import type { Context } from 'hono'
import { InputError } from '../problem.js'
import { ACCOUNT_BYTES } from './account.js'

/** What `Avow-Subject-Account` says, percent-encoded where it isn't ASCII; null where there is none. Throws `InputError`. */
export function readSubjectAccount(c: Context): string | null {
  const header = c.req.header('avow-subject-account')
  if (header === undefined) return null
  const account = decoded(header)
  if (account === '' || /[\p{Cc}\p{Cs}]/u.test(account) || Buffer.byteLength(account) > ACCOUNT_BYTES)
    throw new InputError('avow-subject-account', `the site’s own name of an account, of 1 to ${ACCOUNT_BYTES} bytes`)
  return account
}

/** A header as it was meant: what is not ASCII has to be percent-encoded. */
export function decoded(header: string): string {
  try {
    return decodeURIComponent(header)
  } catch {
    // With a percent sign of its own.
    return header
  }
}
