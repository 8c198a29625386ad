/** The settings file's entry: defines `<avow-settings>`. What it shows of the past it asks of the server, with its own secret. */
import { render } from 'preact'
import { encodeBytes } from '../../decide/decide.js'
import { openPending } from '../../decide/pending.js'
import { attempt } from '../../loader/attempt.js'
import { credentialsFor, type Page } from '../../loader/start.js'
import type { Action, Choices, Notice, StateAnswer } from '../../wire.js'
import { quiet } from '../mount.js'
import { dress } from '../styles.js'
import { Settings, type SettingsView } from './Settings.js'
import { panelStyles } from './styles.js'

const dayMs = 86_400_000

/** The consent id as the privacy team sees it; null without Web Crypto (plain http). */
export async function deriveSubject(
  site: string,
  secret: string,
  subtle: SubtleCrypto | undefined,
): Promise<string | null> {
  if (!subtle) return null
  // A site's name has Latin letters, digits and hyphens: a byte each, as what `atob` gives.
  const text = `avow/subject/v1${site}\0${atob(secret.replace(/-/g, '+').replace(/_/g, '/'))}`
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0))
  return encodeBytes(new Uint8Array(await subtle.digest('SHA-256', bytes)))
}

/** Puts the panel into an element of the page, where a tag in its markup would not do. */
export function mountSettings(element: Element): void {
  element.append(document.createElement('avow-settings'))
}

export function create(page: Page): undefined {
  const { base, consent } = page
  const { site } = consent
  const pending = openPending(page)
  if (customElements.get('avow-settings')) return

  /** What the server says, asked with what proves that it is about this browser. */
  async function ask(path: string): Promise<Response> {
    const { secret } = consent.known()!
    const answer = await fetch(`${base}/v1/${path}`, {
      credentials: credentialsFor(site),
      headers: { authorization: `Avow ${secret}` },
    })
    if (!answer.ok) throw answer
    return answer
  }

  class SettingsElement extends HTMLElement {
    connectedCallback(): void {
      page.notice().then(
        (notice) => {
          // Put elsewhere in the page it stays what it is.
          if (this.shadowRoot) return
          this.lang = notice.language
          this.dir = notice.dir
          const root = dress(this, panelStyles)
          open(root, notice)
        },
        // No words could be read; the panel stays empty rather than guess what was chosen.
        () => console.error('avow: the notice could not be read, so the settings stay empty'),
      )
    }
  }

  function open(root: ShadowRoot, notice: Notice): void {
    let subject: string | null = null
    let history: SettingsView['history']
    let isUnfolded = false
    let shown: Notice | null = null
    let status = ''

    function draw(): void {
      const known = consent.decision()
      const granted = consent.granted()
      const view = {
        ...{ notice, granted, subject, history, shown, status },
        decided: !!known,
        decidedAt: known?.decidedAt ?? 0,
        validUntil: known
          ? Math.min(known.lastActive + site.inactivityDays * dayMs, known.decidedAt + site.maxAgeDays * dayMs)
          : 0,
        hasRecord: !!known?.secret,
        isNobody: !page.token && !attempt(() => localStorage.getItem(`${page.prefix}account`), true),
        isWaiting: !!pending.list()[0],
        isSignalled: consent.signal && !granted[0],
        onDecide: async (action: Action, event: Event, switches?: Choices) =>
          (await page.ui()).onDecide('settings', action, event, switches),
        onWithdraw: () => page.ask('withdraw'),
        onCopy: () => quiet(navigator.clipboard.writeText(subject!).then(() => say(notice.words.copied))),
        onRecall: ({ currentTarget }: Event) => {
          isUnfolded = (currentTarget as HTMLDetailsElement).open
          recall()
        },
        onReceipt: (id: string) => quiet(ask(`receipts/${id}?site=${site.site}`).then((answer) => save(id, answer))),
      }
      render(Settings(view), root)
    }

    function say(text: string): void {
      status = text
      draw()
    }

    async function save(id: string, answer: Response): Promise<void> {
      const link = document.createElement('a')
      link.href = URL.createObjectURL(await answer.blob())
      link.download = `avow-receipt-${id}.tlog-proof`
      link.click()
    }

    async function readHistory(): Promise<void> {
      const state: StateAnswer = await (await ask(`state?site=${site.site}`)).json()
      history = state.history
      draw()
      // No header of ours: it is the same for everybody, and may be asked for from any origin.
      const answer = await fetch(`${base}/v1/sites/${site.site}/notice?hash=${state.decision!.notice.hash}`)
      shown = await answer.json()
      draw()
    }

    /** While somebody wants to see it: what was chosen before, and under which words. */
    function recall(): void {
      if (!isUnfolded || history) return
      readHistory().catch(() => {
        history ??= null
        draw()
      })
    }

    /** Draws what is known, and again with what comes to be known. */
    async function tell(): Promise<void> {
      history = undefined
      shown = null
      draw()
      const secret = consent.decision()?.secret
      subject = secret ? await deriveSubject(site.site, secret, crypto.subtle as SubtleCrypto | undefined) : null
      draw()
      if (secret) recall()
    }
    const look = () => quiet(tell())
    look()
    consent.subscribe(look)
    // The server has it now, so that nothing waits, and the history is longer.
    document.addEventListener('avow:recorded', look)
  }

  customElements.define('avow-settings', SettingsElement)
}
