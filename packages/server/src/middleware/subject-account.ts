/** The account that a privacy team looks up: in a header, never in an address, which proxies write down. */
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { InputError } from '../problem.js'
import { ACCOUNT_BYTES } from './account.js'

export const SUBJECT_ACCOUNT = 'avow-subject-account'

/** As it is described. */
export const accountHeader = z.object({
  [SUBJECT_ACCOUNT]: z
    .string()
    .optional()
    .openapi({ description: 'the site’s own name of an account, percent-encoded or in UTF-8 where it isn’t ASCII' }),
})

/**
 * What `Avow-Subject-Account` says, percent-encoded or in UTF-8 where it isn't ASCII, as the account's token has it; null where
 * there is none. Throws `InputError`.
 */
export function readSubjectAccount(c: Context): string | null {
  const header = c.req.header(SUBJECT_ACCOUNT)
  if (header === undefined) return null
  const account = decoded(header)
  if (account === '' || /[\p{Cc}\p{Cs}]/u.test(account) || Buffer.byteLength(account) > ACCOUNT_BYTES)
    throw new InputError(SUBJECT_ACCOUNT, `the site’s own name of an account, of 1 to ${ACCOUNT_BYTES} bytes`)
  return account
}

/** A header as it was meant: its bytes are UTF-8, and what is not ASCII may be percent-encoded. */
export function decoded(header: string): string {
  let text = header
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'latin1'))
    return decodeURIComponent(text)
  } catch {
    // Not UTF-8, or with a percent sign of its own.
    return text
  }
}
