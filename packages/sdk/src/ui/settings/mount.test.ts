/** The consent id that the visitor sees is the one that the privacy team looks up. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { deriveSubject } from './mount.js'

test('the consent id is derived from the site and the secret alone', async () => {
  const secret = Buffer.from(Array.from({ length: 16 }, (_, index) => index))
  const expected = createHash('sha256')
    .update(Buffer.concat([Buffer.from('avow/subject/v1fr-apiaas\0'), secret]))
    .digest('base64url')
  const subtle = globalThis.crypto.subtle
  expect(await deriveSubject('fr-apiaas', secret.toString('base64url'), subtle)).toBe(expected)
  expect(await deriveSubject('fr-apiaas', secret.toString('base64url'), undefined)).toBeNull()
})
