/** What is on screen, from what is known: the banner, the preferences over it, and one line that says what happened. */
import type { Action, Choices, Layer, Notice } from '../wire.js'
import { Banner } from './Banner.js'
import { Preferences } from './Preferences.js'

export interface View {
  readonly notice: Notice
  readonly asking: boolean
  readonly preferences: boolean
  readonly granted: readonly string[]
  /** Announced politely; once a choice has been made, also shown. */
  readonly status: string
}

export interface Handlers {
  onDecide(layer: Layer, action: Action, event: Event, switches?: Choices): void
  /** Opens and closes the preferences. */
  onPreferences(open: boolean): void
}

export function App({ notice, asking, preferences, granted, status, onDecide, onPreferences }: View & Handlers) {
  return (
    <>
      {asking && (
        <Banner
          notice={notice}
          onManage={() => onPreferences(true)}
          onDecide={(action, event) => onDecide('banner', action, event)}
        />
      )}
      {preferences && (
        <Preferences
          notice={notice}
          granted={granted}
          onClose={() => onPreferences(false)}
          onDecide={(action, event, switches) => onDecide('preferences', action, event, switches)}
        />
      )}
      <p role="status" class={status && !asking ? 'saved card' : 'quiet'}>
        {status}
      </p>
    </>
  )
}
