/** From a click to what is kept. */
import { expect, test, vi } from 'vitest'
import type { Consent } from '../loader/consent.js'
import { createConsent } from '../loader/consent.js'
import { encodeDecision } from '../loader/cookie.js'
import { grant, memoryJar, secret, site } from '../test-site.js'
import type { SiteConfig } from '../wire.js'
import { adopt, type Choosing, createId, type Desk, decide } from './decide.js'
import { createPending, type Pending } from './pending.js'

const refusal: Choosing = {
  action: 'reject-all',
  switches: {},
  layer: 'banner',
  offered: ['reject-all', 'accept-all'],
  notice: { hash: 'n', language: 'en' },
}

function desk(more: Partial<SiteConfig> = {}): Desk & { consent: Consent; pending: Pending } {
  let dice = 0
  return {
    consent: createConsent(
      { ...site, ...more },
      memoryJar(),
      () => Date.UTC(2026, 3, 1),
      false,
      () => [],
    ),
    pending: createPending(null, 'avow:fr-apiaas:0'),
    random: (size) => new Uint8Array(size).fill(++dice),
    gpc: null,
    page: 'https://dash.example/usage',
  }
}

/** An event as a person's click makes it; no script can make one. */
const trusted = (type = 'click') =>
  Object.defineProperties(Object.create(Event.prototype) as Event, {
    isTrusted: { value: true },
    type: { value: type },
  })

test('a grant by a script is none, and says so once', () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  const made = desk()
  expect(decide(made, { ...refusal, action: 'accept-all' }, new Event('click'))).toBe(false)
  expect([made.pending.list(), made.consent.decision(), told.mock.calls.length]).toEqual([[], null, 1])
  told.mockRestore()
})

test.each(['load', 'change', 'submit', 'keydown', 'pointerup'])(
  'a trusted "%s" is no click, so it grants nothing',
  (type) => {
    const told = vi.spyOn(console, 'error').mockImplementation(() => {})
    const made = desk()
    expect(decide(made, { ...refusal, action: 'accept-all' }, trusted(type))).toBe(false)
    expect([made.pending.list(), made.consent.decision(), told.mock.calls.length]).toEqual([[], null, 1])
    told.mockRestore()
  },
)

test('a refusal is obeyed from anybody, and filed under a secret that the browser forgets', () => {
  const made = desk()
  expect(decide(made, refusal, null)).toBe(true)
  const [kept] = made.pending.list()
  expect(kept).toMatchObject({
    site: 'fr-apiaas',
    action: 'reject-all',
    choices: { analytics: false },
    ui: '0123456789',
    notice: { hash: 'n', language: 'en' },
    decidedAt: '2026-04-01T00:00:00.000Z',
    previous: null,
  })
  expect(kept?.secret).toMatch(/^[\w-]{22}$/)
  expect(made.consent.decision()?.secret).toBe('')
})

test('a grant and its withdrawal are filed under one secret', () => {
  const made = desk()
  decide(made, { ...refusal, action: 'accept-all' }, trusted())
  decide(made, { ...refusal, action: 'withdraw' }, null)
  const [grant, withdrawal] = made.pending.list()
  expect([grant?.choices, withdrawal?.choices]).toEqual([{ analytics: true }, { analytics: false }])
  expect(withdrawal?.secret).toBe(grant?.secret)
})

test('a submission names the one before it of the same subject, from the page’s memory or from what is pending', () => {
  const made = desk()
  decide(made, { ...refusal, action: 'accept-all' }, trusted())
  const grant = made.pending.list()[0]
  // Sent: what is pending no longer knows it, the page does.
  made.pending.remove(grant?.id ?? '')
  decide(made, { ...refusal, action: 'withdraw' }, null)
  const withdrawal = made.pending.list()[0]
  // The next page: nothing is remembered, but the withdrawal is still pending.
  delete made.last
  made.random = (size) => new Uint8Array(size).fill(99)
  decide(made, { ...refusal, action: 'accept-all' }, trusted())
  const again = made.pending.list().find(({ action }) => action === 'accept-all')
  expect([grant?.previous, withdrawal?.previous, again?.previous]).toEqual([null, grant?.id, withdrawal?.id])
})

test('a refusal that nobody can be known by is named by no later submission', () => {
  const made = desk()
  decide(made, refusal, null)
  decide(made, { ...refusal, action: 'accept-all' }, trusted())
  expect(made.pending.list().map(({ previous }) => previous)).toEqual([null, null])
})

test('saving takes each switch as it stands', () => {
  const made = desk()
  decide(made, { ...refusal, action: 'save', switches: { analytics: true, unknown: true } }, trusted())
  expect(made.pending.list()[0]?.choices).toEqual({ analytics: true })
})

test('a withdrawal that the loader took alone becomes the same submission in every tab', () => {
  const decision = { ...grant, n: 2, choices: { analytics: false } }
  const bytes = Uint8Array.from({ length: 10 }, (_, index) => index)
  const draft = JSON.stringify({ decision: encodeDecision(decision), made: decision, bytes })
  const made = [desk(), desk()].map((one) => {
    adopt(one, draft)
    return one.pending.list()
  })
  expect(made[0]).toEqual(made[1])
  expect(made[0]?.[0]).toMatchObject({ action: 'withdraw', secret, notice: null })
})

test('an id is a UUIDv7 that tells its time', () => {
  const id = createId(0x0123456789ab, new Uint8Array(10).fill(0xff))
  expect(id).toBe('01234567-89ab-7fff-8fff-ffffffffffff')
})

test('a site that wants refusals known by an id files them under a secret that stays', () => {
  const made = desk({ refusalId: true })
  decide(made, refusal, null)
  expect(made.consent.decision()?.secret).toBe(made.pending.list()[0]?.secret)
})

test('the page is told where the site asks for it, and nowhere else', () => {
  const [told, untold] = [desk({ page: true }), desk()]
  for (const one of [told, untold]) decide(one, refusal, null)
  expect(told.pending.list()[0]?.page).toBe('https://dash.example/usage')
  expect(untold.pending.list()[0]).not.toHaveProperty('page')
})

test('without a server the choice counts, and nothing is kept for sending', () => {
  const made = { ...desk(), pending: null }
  expect(decide(made, { ...refusal, action: 'accept-all' }, trusted())).toBe(true)
  expect([made.consent.granted(), made.last]).toEqual([['analytics'], undefined])
})

test('without a server a withdrawal that the loader took alone has nothing to be sent, and is no error', () => {
  const { ui: _, ...own } = site
  const alone: Desk = { ...desk(), pending: null, consent: { ...desk().consent, site: own } }
  const made = { ...grant, n: 2, choices: { analytics: false } }
  expect(() => adopt(alone, JSON.stringify({ decision: encodeDecision(made), made, bytes: {} }))).not.toThrow()
})
