/**
 * For a page with an interface of its own: the same rules, gate, sending and cleaning, and nothing on screen. Deciding
 * methods take the click; `on('ask', …)` says when to ask, `notice()` gives the words that a record cites.
 */
import { openDesk } from './decide/desk.js'
import { createMethods, type Methods } from './loader/methods.js'
import type { Page, Ui } from './loader/start.js'
import type { Action, Choices, NoticeRef, SiteConfig } from './wire.js'

export type { Methods } from './loader/methods.js'
export type { EventName, Heard } from './loader/start.js'
export type { Choices, Notice, SiteConfig } from './wire.js'

function create(page: Page): Ui {
  const desk = openDesk(page)
  const notice: NoticeRef | null = null
  const decide = (action: Action, switches: Choices, event: unknown) => {
    desk.decide({ action, switches, layer: 'api', offered: [], notice }, event)
  }
  const refuse = () => {
    if (!page.consent.decision()) decide('reject-all', {}, null)
  }
  return {
    ...desk,
    // There is nothing of ours to open, and nothing to cover.
    place: () => {},
    onDecide: () => {},
    asked: {
      open: () => {},
      button: () => {},
      withdraw: refuse,
      rejectAll: refuse,
      acceptAll: (event) => decide('accept-all', {}, event),
      save: (choices, event) => decide('save', choices, event),
    },
  }
}

/** As `createConsent` of `@avow/sdk`, without an interface. */
export const createConsent = <const Site extends SiteConfig>(
  site: Site,
  base?: string,
  nonce?: string,
): Methods<Site['categories'][number]> =>
  createMethods(site, base, nonce, {
    ui: async () => ({ create }),
    settings: async () => ({ create: () => {} }),
    account: () => import('./decide/identify.js'),
  })
