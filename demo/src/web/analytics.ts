/**
 * FR-APIaaS's own analytics: page views, features used, navigation. It knows nothing of consent: the page holds this
 * script back until analytics is granted, reloads without it after a withdrawal, and deletes what it kept.
 */

interface UsageEvent {
  readonly type: 'page-view' | 'feature' | 'navigation'
  readonly path: string
  readonly detail: string | null
}

const COOKIE = 'fr_analytics'
const QUEUE = 'fr_analytics_queue'
const COOKIE_DAYS = 30
/** Events kept while the server can't be reached: as many as it takes in one request. */
const QUEUE_LIMIT = 50

const path = location.pathname

/** The same random number on every page, for 30 days after the last visit. */
function keepVisitor(): void {
  const known = document.cookie.match(/(?:^|; )fr_analytics=([0-9a-f]{32})/)?.[1]
  const visitor =
    known ??
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const secure = location.protocol === 'https:' ? '; Secure' : ''
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is missing on plain http and in older browsers
  document.cookie = `${COOKIE}=${visitor}; Path=/; Max-Age=${COOKIE_DAYS * 86_400}; SameSite=Lax${secure}`
}

function readQueue(): UsageEvent[] {
  try {
    const queue: unknown = JSON.parse(localStorage.getItem(QUEUE) ?? '[]')
    return Array.isArray(queue) ? queue : []
  } catch {
    // Storage is blocked or holds something else: there is nothing to send from an earlier page.
    return []
  }
}

function keepQueue(queue: readonly UsageEvent[]): void {
  try {
    if (queue.length === 0) localStorage.removeItem(QUEUE)
    else localStorage.setItem(QUEUE, JSON.stringify(queue))
  } catch {
    // Storage is blocked or full: events that can't be sent now are lost, which analytics can bear.
  }
}

async function send(events: readonly UsageEvent[]): Promise<void> {
  const queue = [...readQueue(), ...events].slice(-QUEUE_LIMIT)
  keepQueue(queue)
  try {
    const answer = await fetch('/analytics/events', {
      method: 'POST',
      // The event of a click on a link must outlive the page.
      keepalive: true,
      headers: {
        'Content-Type': 'application/json',
        'X-CSRF-Token': document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? '',
      },
      body: JSON.stringify({ events: queue }),
    })
    // A 4xx will be one next time too.
    if (answer.status < 500) keepQueue(readQueue().slice(queue.length))
  } catch {
    // Offline: the next event takes these along.
  }
}

function cameFrom(): string | null {
  if (!document.referrer) return null
  const from = new URL(document.referrer)
  return from.origin === location.origin && from.pathname !== path ? from.pathname : null
}

keepVisitor()
const from = cameFrom()
const arrival: UsageEvent[] = [{ type: 'page-view', path, detail: null }]
if (from) arrival.push({ type: 'navigation', path, detail: from })
void send(arrival)

document.addEventListener('click', ({ target }) => {
  const feature = target instanceof Element ? target.closest('[data-feature]')?.getAttribute('data-feature') : null
  if (feature) void send([{ type: 'feature', path, detail: feature }])
})

// A module to the compiler, so that its names are its own; built as a plain script, as trackers are.
export {}
