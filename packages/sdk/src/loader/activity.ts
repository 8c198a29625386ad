/** What counts as activity: a page before a person's eyes, their pointer, their keys. Not prerendering, not a timer. */
import { listen } from './listen.js'

/** Calls `active` on each sign of a person; how often that is written is the controller's business. */
export function watchActivity(active: () => void): void {
  // A prerendered page is hidden until somebody goes there.
  const see = (event?: Event) => {
    if (!document.hidden && event?.isTrusted !== false) active()
  }
  listen(['visibilitychange', 'pointerdown', 'keydown'], see)
  see()
}
