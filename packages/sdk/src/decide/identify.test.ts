/** Who is signed in, on a device that may be somebody else's tomorrow. The server is a function. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Consent, createConsent } from '../loader/consent.js'
import { decodeDecision } from '../loader/cookie.js'
import type { Draft, Page, Ui } from '../loader/start.js'
import { memoryJar, secret, site } from '../test-site.js'
import type { Choices, RecordedDecision } from '../wire.js'
import { beats, create } from './identify.js'
import { type Kept, openPending } from './pending.js'

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
  const world = { now, secrets: 0 }
  const consent = createConsent(
    { ...site, ...(crossDevice && { crossDevice }) },
    jar,
    () => world.now,
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
  const waits: { answer?: () => Promise<void>; ui?: () => Promise<void> } = {}
  /** Holds the next one back: fulfils when it is asked for, with what lets it go. */
  const hold = (what: keyof typeof waits) =>
    new Promise<() => void>((arrive) => {
      waits[what] = () => {
        delete waits[what]
        return new Promise((release) => arrive(release))
      }
    })
  const page = {
    ...{ base: 'https://a', prefix: 'avow:fr-apiaas:', consent, now: () => world.now },
    async ui() {
      await waits.ui?.()
      return ui
    },
  } as Page
  const asked: AbortSignal[] = []
  vi.stubGlobal(
    'fetch',
    async (_: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }) => {
      asked.push(signal)
      const token = headers['avow-account'] ?? ''
      if (!(token in accounts)) return Response.json({}, { status: 401 })
      const answer = Response.json({ account: `pseudonym of ${token}`, decision: accounts[token] })
      // As it is at the moment of asking; and a page's own wrapper of `fetch` may know nothing of signals.
      await waits.answer?.()
      return answer
    },
  )
  const everything = () => `${jar.value} ${jar.last} ${JSON.stringify({ ...localStorage })} ${page.draft}`
  return { jar, consent, page, links, account: create(page), everything, hold, world, asked }
}

const waiting = (more: Partial<Kept> = {}): Kept => ({
  ...{ id: '01234567-89ab-7fff-8fff-ffffffffffff', site: 'fr-apiaas', secret, action: 'save', choices: yes },
  ...{ policy: site.policy, notice: null, ui: '0', layer: 'banner', offered: [], decidedAt: at(10), gpc: null },
  ...{ previous: 'the one before', sdk: '0', decision: '1.1.2026-04' },
  ...more,
})

/** The loader takes a withdrawal alone, as `start.ts` does. */
function withdrawAlone({ consent, page }: { consent: Consent; page: Page }): void {
  consent.decide(no, '', (made, decision) => {
    page.draft = JSON.stringify({ decision, made, bytes: { 0: 7 } } satisfies Draft)
    localStorage.setItem(`${page.prefix}0draft`, page.draft)
  })
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

test('who signs out while the sign-in is on its way is signed out, and nothing of the account comes', async () => {
  const { account, everything, hold, links, page, asked, consent } = device({ ann: recorded(yes, 5) })
  const before = everything()
  const answer = hold('answer')
  const signingIn = account.identify('ann')
  const release = await answer
  account.forget()
  release()
  await signingIn
  expect([everything(), links, page.token, consent.asks()]).toEqual([before, [], undefined, true])
  // The answer may set a cookie: it is called off, not just ignored.
  expect(asked.map(({ aborted }) => aborted)).toEqual([true])
})

test('who signs out while the UI is on its way is signed out, and nothing of the account comes', async () => {
  const { account, everything, hold, links, page } = device({ ann: recorded(yes, 5) })
  const before = everything()
  const ui = hold('ui')
  const signingIn = account.identify('ann')
  const release = await ui
  account.forget()
  release()
  await signingIn
  expect([everything(), links, page.token]).toEqual([before, [], undefined])
})

test('of two sign-ins the later one counts, whichever is answered first', async () => {
  const { account, everything, hold, links, page } = device({ ann: recorded(yes, 5), bob: null })
  const answer = hold('answer')
  const first = account.identify('ann')
  const release = await answer
  await account.identify('bob')
  release()
  await first
  expect([page.token, links]).toEqual(['bob', []])
  expect(everything()).toContain('pseudonym of bob')
  expect(everything()).not.toContain('ann')
})

test('said twice before the UI is there, a sign-in links what was chosen signed out once', async () => {
  const { account, consent, hold, links } = device({ ann: recorded(no, 5) })
  consent.decide(yes, secret, () => {})
  const ui = hold('ui')
  const first = account.identify('ann')
  const release = await ui
  await account.identify('ann')
  release()
  await first
  expect([links, consent.granted()]).toEqual([[[true, true]], ['analytics']])
  expect(consent.decision()?.secret).not.toBe(secret)
})

test('until the UI is there nobody is signed in; what is withdrawn until then is not granted again', async () => {
  const made = device({ ann: recorded(yes, 9) })
  const { account, consent, hold, links, page, world } = made
  consent.decide(yes, secret, () => {}, { decidedAt: now - 9 * 86_400_000, lastActive: now })
  const ui = hold('ui')
  const signingIn = account.identify('ann')
  const release = await ui
  // A clock that is days behind doesn't make it older than the grant.
  world.now = now - 5 * 86_400_000
  withdrawAlone(made)
  expect(page.token).toBeUndefined()
  release()
  await signingIn
  expect([consent.granted(), page.token, links]).toEqual([[], 'ann', [[false, true]]])
})

test('what is withdrawn on the next page before the server has answered stays so, and becomes the account’s', async () => {
  const { account, consent, hold, links } = device({ ann: recorded(yes, 5) })
  await account.identify('ann')
  const answer = hold('answer')
  const signingIn = account.identify('ann')
  const release = await answer
  // Sent before the answer is here, which knows nothing of it.
  consent.decide(no, '', () => {})
  release()
  await signingIn
  expect([consent.granted(), links.at(-1)]).toEqual([[], [false, true]])
})

test('a withdrawal that the loader took alone is newer than what the server knows of the account', async () => {
  const made = device({ ann: recorded(yes, 5) })
  await made.account.identify('ann')
  withdrawAlone(made)
  // The next page has it from storage.
  made.page.draft = undefined
  await made.account.identify('ann')
  expect([made.consent.granted(), made.links]).toEqual([[], [[true, true]]])
})

test('after signing out, a withdrawal that the loader took alone is kept under another secret, and decides nothing', async () => {
  const made = device({ ann: recorded(yes, 5) })
  const { account, consent, page, everything } = made
  await account.identify('ann')
  const anns = consent.decision()?.secret ?? ''
  withdrawAlone(made)
  expect(everything()).toContain(anns)
  account.forget()
  expect(everything()).not.toContain(anns)
  const draft = localStorage.getItem('avow:fr-apiaas:0draft')
  expect(draft).toBe(page.draft)
  const { decision, made: kept, bytes } = JSON.parse(draft!)
  expect(kept).toMatchObject({ choices: no, secret: expect.stringMatching(/^[\w-]{21}[AQgw]$/) })
  expect([decodeDecision(decision), bytes, consent.asks()]).toEqual([null, { 0: 7 }, true])
})

test('after signing out, what waits has another secret for all files of the page', async () => {
  const { account, consent, page } = device({ ann: recorded(yes, 5) })
  // The UI file opens it for itself, and remembers what it added.
  const uis = openPending(page)
  await account.identify('ann')
  const anns = consent.decision()?.secret ?? ''
  uis.add(waiting({ secret: anns }))
  account.forget()
  expect(uis.list()).toMatchObject([{ previous: null, decision: null }])
  expect(JSON.stringify(uis.list())).not.toContain(anns)
})

test('a refuser whose clock was set back stays one after signing in', async () => {
  const { account, consent, jar, world } = device({ ann: null })
  world.now = now + 20 * 3_600_000
  consent.decide(no, '', () => {})
  world.now = now
  await account.identify('ann')
  expect([consent.asks(), consent.granted()]).toEqual([false, []])
  expect(decodeDecision(jar.value)?.decidedAt).toBe(now)
})

test('a grant whose clock was set back since doesn’t beat a denial made elsewhere', async () => {
  const { account, consent, world } = device({ ann: recorded(no, 9) })
  world.now = now + 20 * 3_600_000
  consent.decide(yes, secret, () => {})
  world.now = now
  await account.identify('ann')
  expect([consent.asks(), consent.granted()]).toEqual([false, []])
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
