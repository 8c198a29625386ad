/** What a host's tests set is what the loader reads. */
import { expect, test } from 'vitest'
import { decodeDecision } from './loader/cookie.js'
import { avowCookie, avowSubmission } from './testing.js'

test('the cookie of a choice that is already made reads as that choice', () => {
  const { name, value } = avowCookie({ analytics: true }, { version: '2026.04', now: 1_775_001_600_000 })
  expect(name).toBe('avow')
  expect(decodeDecision(decodeURIComponent(value))).toMatchObject({ version: '2026.04', choices: { analytics: true } })
})

test('each submission is another visitor’s, sorts by its time, and cites the notice alone', () => {
  const notice = { policy: { version: '2026.04', hash: 'P' }, hash: 'N', language: 'fr', text: 'not cited' }
  const [first, second] = [1_775_001_600_000, 1_775_001_600_001].map((now) =>
    avowSubmission('shop', notice, { choices: { ads: false } }, now),
  )
  expect(first).toMatchObject({ site: 'shop', policy: notice.policy, choices: { ads: false }, action: 'accept-all' })
  expect(first!.notice).toEqual({ hash: 'N', language: 'fr' })
  expect(first!.secret).not.toBe(second!.secret)
  expect(first!.id < second!.id).toBe(true)
  expect(first!.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(Buffer.from(first!.secret, 'base64url')).toHaveLength(16)
})
