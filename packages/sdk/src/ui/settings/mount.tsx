/** The settings file's entry: defines `<avow-settings>`. */
import { render } from 'preact'
import { encodeBytes } from '../../decide/decide.js'
import type { Page } from '../../loader/start.js'
import type { Notice } from '../../wire.js'
import { panelStyles } from '../styles.js'
import { Settings } from './Settings.js'

/** The consent id as the privacy team sees it; null without Web Crypto (plain http). */
export async function deriveSubject(
  site: string,
  secret: string,
  subtle: SubtleCrypto | undefined,
): Promise<string | null> {
  if (!subtle) return null
  const bytes = Uint8Array.from(atob(secret.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0))
  const label = new TextEncoder().encode(`avow/subject/v1${site}\0`)
  const all = new Uint8Array(label.length + bytes.length)
  all.set(label)
  all.set(bytes, label.length)
  return encodeBytes(new Uint8Array(await subtle.digest('SHA-256', all)))
}

export function create(page: Page): undefined {
  const { consent } = page
  if (customElements.get('avow-settings')) return

  class SettingsElement extends HTMLElement {
    connectedCallback(): void {
      const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
      root.adoptedStyleSheets = [panelStyles()]
      page.notice().then(
        (notice) => {
          this.lang = notice.language
          const draw = () => void show(root, notice)
          draw()
          consent.subscribe(draw)
        },
        // No words could be read; the panel stays empty rather than guess what was chosen.
        () => console.error('avow: the notice could not be read, so the settings stay empty'),
      )
    }
  }

  async function show(root: ShadowRoot, notice: Notice): Promise<void> {
    const known = consent.decision()
    const subject = known?.secret
      ? await deriveSubject(consent.site.site, known.secret, crypto.subtle as SubtleCrypto | undefined)
      : null
    // Another change overtook the derivation.
    if (known !== consent.decision()) return
    const view = {
      notice,
      subject,
      decided: known !== null,
      granted: consent.granted(),
      decidedAt: known?.decidedAt ?? null,
      hasRecord: Boolean(known?.secret),
      isSignalled: consent.signal && !consent.granted()[0],
    }
    render(<Settings view={view} onWithdraw={() => page.ask('withdraw')} onChange={() => page.ask('open')} />, root)
  }

  customElements.define('avow-settings', SettingsElement)
}
