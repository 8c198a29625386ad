/** What a host's tests set is what the loader reads. */
import { expect, test } from 'vitest'
import { decodeDecision } from './loader/cookie.js'
import { avowCookie } from './testing.js'

test('the cookie of a choice that is already made reads as that choice', () => {
  const { name, value } = avowCookie({ analytics: true }, { version: '2026.04', now: 1_775_001_600_000 })
  expect(name).toBe('avow')
  expect(decodeDecision(decodeURIComponent(value))).toMatchObject({ version: '2026.04', choices: { analytics: true } })
})
