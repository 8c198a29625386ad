/**
 * What the analytics script has sent, by browser, so that a page can show it arriving. In memory and bounded: this is
 * a window for the person who gave the consent, no analytics product.
 */

export interface AnalyticsEvent {
  readonly type: 'page-view' | 'feature' | 'navigation'
  readonly path: string
  /** The feature used, or the page come from. */
  readonly detail: string | null
  /** The server's clock, ISO 8601 UTC. */
  readonly receivedAt: string
}

export class EventError extends Error {
  override name = 'EventError'
  readonly field: string

  constructor(field: string, expected: string) {
    super(`${field}: expected ${expected}`)
    this.field = field
  }
}

/** Events kept per browser: what the panel has room for. */
const EVENTS_KEPT = 30
/** Browsers remembered; the longest silent one goes first. */
const BROWSERS_KEPT = 200
/** Events in one request: the script sends each as it happens, so more means a long time offline. */
const EVENTS_PER_REQUEST = 50
const TEXT_LIMIT = 200

export interface Traffic {
  add(browser: string, events: readonly AnalyticsEvent[]): void
  /** Oldest first. */
  recent(browser: string): readonly AnalyticsEvent[]
  /** Calls back for each event to come. The returned function ends it. */
  watch(browser: string, onEvent: (event: AnalyticsEvent) => void): () => void
}

export function createTraffic(): Traffic {
  const kept = new Map<string, AnalyticsEvent[]>()
  const watchers = new Map<string, Set<(event: AnalyticsEvent) => void>>()

  return {
    add(browser, events) {
      const all = [...(kept.get(browser) ?? []), ...events].slice(-EVENTS_KEPT)
      // A Map iterates in order of insertion: deleting first makes this browser the youngest.
      kept.delete(browser)
      kept.set(browser, all)
      for (const oldest of kept.keys()) {
        if (kept.size <= BROWSERS_KEPT) break
        kept.delete(oldest)
      }
      for (const watcher of watchers.get(browser) ?? []) for (const event of events) watcher(event)
    },
    recent: (browser) => kept.get(browser) ?? [],
    watch(browser, onEvent) {
      const all = watchers.get(browser) ?? new Set()
      watchers.set(browser, all.add(onEvent))
      return () => {
        all.delete(onEvent)
        if (all.size === 0) watchers.delete(browser)
      }
    },
  }
}

/** What `POST /analytics/events` may hold; names the field it refuses. */
export function parseEvents(input: unknown, receivedAt: string): AnalyticsEvent[] {
  const events = (input as { events?: unknown } | null)?.events
  if (!Array.isArray(events) || events.length === 0 || events.length > EVENTS_PER_REQUEST) {
    throw new EventError('events', `a list of 1 to ${EVENTS_PER_REQUEST}`)
  }
  return events.map((event: Record<string, unknown> | null, index) => {
    const type = event?.type
    if (type !== 'page-view' && type !== 'feature' && type !== 'navigation') {
      throw new EventError(`events.${index}.type`, 'page-view, feature or navigation')
    }
    const path = event?.path
    if (!isText(path) || !path.startsWith('/')) throw new EventError(`events.${index}.path`, 'a path')
    const detail = event?.detail ?? null
    if (detail !== null && !isText(detail)) throw new EventError(`events.${index}.detail`, 'a short text')
    return { type, path, detail, receivedAt }
  })
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= TEXT_LIMIT
