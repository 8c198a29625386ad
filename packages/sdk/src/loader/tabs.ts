/** One choice, all tabs: whatever tells that the jar may have changed leads to reading it again. */
import { listen } from './listen.js'

/**
 * Calls `refresh` when another tab, the server or the person may have changed the cookie. Nothing needs announcing:
 * cookieStore sees the cookie, and where there is none, keeping the submission fires `storage` in the other tabs after
 * the cookie is written. `pageshow` is for a page restored as it was left.
 */
export function watchTabs(refresh: () => void): void {
  listen(['storage', 'pageshow', 'visibilitychange'], refresh)
  ;(window as { cookieStore?: EventTarget }).cookieStore?.addEventListener('change', refresh)
}
