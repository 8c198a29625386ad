/** What is on screen, from what is known: the banner, the preferences over it, and one line that says what happened. */
import type { Action, Choices, Layer, Notice, SiteConfig } from '../wire.js'
import { Banner } from './Banner.js'
import { Preferences } from './Preferences.js'

export interface View {
  readonly notice: Notice
  readonly site: SiteConfig
  readonly asking: boolean
  readonly preferences: boolean
  readonly granted: readonly string[]
  /** Whether the small button that opens the preferences is wanted. */
  readonly button: boolean
  /** Announced politely; once a choice has been made, also shown. */
  readonly status: string
}

export interface Handlers {
  onDecide(layer: Layer, action: Action, event: Event, switches?: Choices): void
  /** Opens and closes the preferences. */
  onPreferences(open: boolean): void
}

export const App = (view: View & Handlers) => {
  const { notice, asking, status, onDecide, onPreferences } = view
  return (
    <>
      {asking && (
        <Banner
          notice={notice}
          site={view.site}
          onManage={() => onPreferences(true)}
          onDecide={(action, event) => onDecide('banner', action, event)}
        />
      )}
      {view.button && !asking && (
        <button type="button" part="button" class="plain corner" onClick={() => onPreferences(true)}>
          {notice.words.preferencesTitle}
        </button>
      )}
      {view.preferences && (
        <Preferences
          notice={notice}
          granted={view.granted}
          onClose={() => onPreferences(false)}
          onDecide={(action, event, switches) => onDecide('preferences', action, event, switches)}
        />
      )}
      {/* Always in its place, so that nothing is shifted when it comes to be seen. */}
      <p role="status" class={`corner card ${status && !asking ? '' : 'quiet'}`}>
        {status}
      </p>
    </>
  )
}
