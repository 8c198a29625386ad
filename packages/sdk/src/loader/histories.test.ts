/** Random histories against an oracle that is slow and obvious: the two clocks, and which of two decisions is newer. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryJar, secret, site } from '../test-site.js'
import { type Consent, createConsent } from './consent.js'
import { type Decision, decodeDecision } from './cookie.js'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const start = Date.UTC(2026, 3, 1)

test('a grant counts while no 30 days passed without activity, and 180 not since the decision', () => {
  const waits = fc.oneof(
    fc.integer({ min: 1, max: 90 }).map((minutes) => minutes * minuteMs),
    fc.integer({ min: 1, max: 24 * 35 }).map((hours) => hours * hourMs),
    fc.constantFrom(30 * dayMs, 30 * dayMs - 1000, 180 * dayMs, hourMs, hourMs - 1000),
  )
  const steps = fc.array(fc.tuple(waits, fc.constantFrom('look', 'active', 'active', 'page', 'grant', 'deny')), {
    maxLength: 40,
  })
  fc.assert(
    fc.property(steps, (history) => {
      const jar = memoryJar()
      let now = start
      const open = () =>
        createConsent(
          site,
          jar,
          () => now,
          false,
          () => [],
        )
      let page = open()
      /** All that ever happened, which the oracle goes over from the beginning each time. */
      const past: { at: number; what: string }[] = []

      const oracle = () => {
        let granted = false
        let decidedAt = 0
        let writtenAt = 0
        const isOver = (at: number) => at - writtenAt >= 30 * dayMs || at - decidedAt >= 180 * dayMs
        for (const { at, what } of past) {
          if (what === 'grant' || what === 'deny') {
            granted = what === 'grant'
            decidedAt = at
            writtenAt = at
          } else if (what === 'active' && !isOver(at) && at - writtenAt >= hourMs) writtenAt = at
        }
        return granted && !isOver(now)
      }

      for (const [wait, what] of history) {
        now += wait
        past.push({ at: now, what })
        if (what === 'page') page = open()
        if (what === 'active') page.slide()
        if (what === 'grant' || what === 'deny') {
          page.decide({ analytics: what === 'grant' }, secret, () => {})
        }
        page.refresh()
        expect(page.granted().length > 0).toBe(oracle())
        expect(open().granted()).toEqual(page.granted())
      }
    }),
    { numRuns: 300 },
  )
})

/** A browser with tabs that come and go, and a server whose answers set the cookie that a request was sent with. */
function world() {
  const jar = memoryJar()
  const tabs: Consent[] = []
  const kept = new Map<number, Decision>()
  const answers: { cookie: string | null; id: number }[] = []
  let ids = 0
  const open = () => {
    const tab = createConsent(
      site,
      jar,
      () => start + ids,
      false,
      () => [...kept.values(), decodeDecision(jar.last)],
    )
    tabs.push(tab)
    return tab
  }
  return {
    jar,
    tabs,
    open,
    decide(index: number, analytics: boolean) {
      const tab = tabs[index % tabs.length]!
      const id = ids++
      tab.decide({ analytics }, secret, (decision) => kept.set(id, decision))
      answers.push({ cookie: jar.value, id })
    },
    answer(index: number) {
      const [answer] = answers.splice(index % answers.length, 1)
      if (!answer) return
      jar.value = answer.cookie
      kept.delete(answer.id)
    },
    get waiting() {
      return answers.length
    },
  }
}

test('whatever tabs and late answers do, what was withdrawn last stays withdrawn, and all tabs come to agree', () => {
  const step = fc.tuple(
    fc.constantFrom('open', 'close', 'grant', 'deny', 'answer', 'look') as fc.Arbitrary<string>,
    fc.nat(),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const browser = world()
      browser.open()
      let latest: boolean | null = null
      for (const [what, index] of steps) {
        if (what === 'open') {
          // Whoever opens a page after a withdrawal finds it, whatever an answer has put into the jar meanwhile.
          const tab = browser.open()
          if (latest === false) expect(tab.granted()).toEqual([])
        }
        if (what === 'close' && browser.tabs.length > 1) browser.tabs.splice(index % browser.tabs.length, 1)
        if (what === 'grant' || what === 'deny') {
          latest = what === 'grant'
          browser.decide(index, latest)
        }
        if (what === 'answer' && browser.waiting) browser.answer(index)
        if (what === 'look') browser.tabs[index % browser.tabs.length]!.refresh()
      }
      while (browser.waiting) browser.answer(0)
      // Each write tells the others; two rounds are enough for all to have heard.
      for (let round = 0; round < 2; round++) for (const tab of browser.tabs) tab.refresh()
      // A page that is opened last tells the others once more, where it found what they can't know of any longer.
      const fresh = browser.open()
      for (const tab of browser.tabs) tab.refresh()
      const views = [...browser.tabs, fresh].map((tab) => tab.decision()?.choices.analytics ?? null)
      expect(new Set(views).size).toBe(1)
      if (latest === false) expect(views[0]).not.toBe(true)
    }),
    { numRuns: 2000 },
  )
})
