/** Who is signed in, on a device that may be somebody else's tomorrow. The server is a function. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createConsent } from '../loader/consent.js'
import type { Page, Ui } from '../loader/start.js'
import { memoryJar, secret, site } from '../test-site.js'
import type { Choices, RecordedDecision } from '../wire.js'
import { beats, create } from './identify.js'

const now = Date.UTC(2026, 3, 10)
const at = (day: number) => new Date(Date.UTC(2026, 3, day)).toISOString()
const yes = { analytics: true }
const no = { analytics: false }

function recorded(choices: Choices, day: number, more: Partial<RecordedDecision> = {}): RecordedDecision {
  return {
    id: '0',
    action: 'save',
    choices,
    layer: 'banner',
    policy: site.policy,
    notice: { hash: 'n', language: 'en' },
    gpc: null,
    decidedAt: at(day),
    recordedAt: at(day),
    validUntil: at(300),
    ...more,
  }
}

beforeEach(() => {
  localStorage.clear()
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** A device; `accounts` is what the server holds of each, by token. */
function device(accounts: Record<string, RecordedDecision | null>, crossDevice = true) {
  const jar = memoryJar()
  const consent = createConsent(
    { ...site, ...(crossDevice && { crossDevice }) },
    jar,
    () => now,
    false,
    () => [],
  )
  const links: unknown[] = []
  const ui = {
    link(choices: Choices, more: object, isNews: boolean) {
      consent.decide(choices, '', () => {}, more)
      links.push([choices.analytics, isNews])
    },
  } as unknown as Ui
  const page = { base: 'https://a', prefix: 'avow:fr-apiaas:', consent, now: () => now, ui: async () => ui } as Page
  vi.stubGlobal('fetch', async (_: string, { headers }: { headers: Record<string, string> }) => {
    const token = headers['avow-account'] ?? ''
    if (!(token in accounts)) return Response.json({}, { status: 401 })
    return Response.json({ account: `pseudonym of ${token}`, decision: accounts[token] })
  })
  const everything = () => `${jar.value} ${jar.last} ${JSON.stringify({ ...localStorage })}`
  return { jar, consent, page, links, account: create(page), everything }
}

test('a choice of the account’s other device is taken over, under a secret of its own', async () => {
  const { consent, account, links, page } = device({ ann: recorded(yes, 5) })
  await account.identify('ann')
  expect([links, consent.granted(), page.token]).toEqual([[[true, true]], ['analytics'], 'ann'])
  expect(consent.decision()?.secret).toMatch(/^[\w-]{22}$/)
})

test('where choices aren’t shared across devices, a refusal is all the same', async () => {
  const granted = device({ ann: recorded(yes, 5) }, false)
  await granted.account.identify('ann')
  expect([granted.links, granted.consent.asks()]).toEqual([[], true])
  const refused = device({ ann: recorded(no, 5) }, false)
  await refused.account.identify('ann')
  expect([refused.links, refused.consent.asks(), refused.consent.decision()?.secret]).toEqual([
    [[false, true]],
    false,
    '',
  ])
})

test('what was chosen here later, signed out, is linked to the account under another secret', async () => {
  const { consent, account, links } = device({ ann: recorded(no, 5) })
  consent.decide(yes, secret, () => {})
  await account.identify('ann')
  expect([links, consent.granted()]).toEqual([[[true, true]], ['analytics']])
  expect(consent.decision()?.secret).not.toBe(secret)
})

test('a refusal made here is not beaten by a grant of the same second, which the cookie can’t tell apart', async () => {
  const { consent, account, links } = device({
    ann: recorded(yes, 5, { decidedAt: new Date(now - 300).toISOString() }),
  })
  consent.decide(no, secret, () => {}, { decidedAt: now - 1000, lastActive: now })
  await account.identify('ann')
  expect([links, consent.granted()]).toEqual([[[false, true]], []])
})

test('after signing out the choice made signed out is back, and nothing of the account is left', async () => {
  const { consent, account, everything, page } = device({ ann: recorded(no, 9) })
  consent.decide(yes, secret, () => {}, { decidedAt: Date.UTC(2026, 3, 2), lastActive: now })
  await account.identify('ann')
  expect(consent.granted()).toEqual([])
  account.forget()
  expect([consent.granted(), consent.decision()?.secret, page.token]).toEqual([['analytics'], secret, undefined])
  expect(everything()).not.toContain('ann')
})

test('the other account on a shared device inherits nothing', async () => {
  const { consent, account, everything } = device({ ann: recorded(yes, 5), bob: null })
  await account.identify('ann')
  const anns = consent.decision()?.secret ?? ''
  // Nobody called forget: the session just ended.
  await account.identify('bob')
  expect([consent.granted(), consent.asks()]).toEqual([[], true])
  expect(everything()).not.toContain('ann')
  expect(everything()).not.toContain(anns)
})

test('signing in again changes nothing; what another device decided meanwhile does', async () => {
  const accounts: Record<string, RecordedDecision | null> = { ann: recorded(yes, 5) }
  const { consent, account, links } = device(accounts)
  await account.identify('ann')
  await account.identify('ann')
  expect(links).toHaveLength(1)
  accounts.ann = recorded(no, 9)
  await account.identify('ann')
  expect([links.at(-1), consent.granted()]).toEqual([[false, true], []])
})

test('a token that is refused is the site’s mistake, said once; nothing changes', async () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  const { consent, account, everything } = device({})
  const before = everything()
  await account.identify('eve')
  expect([told.mock.calls.length, everything(), consent.asks()]).toEqual([1, before, true])
})

test('a clock that runs ahead doesn’t make a grant beat a later withdrawal', () => {
  // Decided on the 5th by a clock that is twenty hours ahead, recorded on the 4th.
  const ahead = recorded(yes, 5, { recordedAt: at(4) })
  expect(beats(ahead, Date.parse(at(4)) + 1, true)).toBe(false)
  expect(beats(ahead, Date.parse(at(4)) - 1, true)).toBe(true)
})

test('a denial wins a tie, a grant does not', () => {
  expect(beats(recorded(no, 5), Date.parse(at(5)), true)).toBe(true)
  expect(beats(recorded(yes, 5), Date.parse(at(5)), true)).toBe(false)
})
