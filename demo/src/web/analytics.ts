/**
 * FR-APIaaS's own analytics: page views, features used, navigation. It knows nothing of consent: the page holds this
 * script back until analytics is granted, reloads without it after a withdrawal, and deletes what it kept.
 */
import Cookies from 'js-cookie'

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
  try {
    const visitor =
      /^[0-9a-f]{32}$/.exec(Cookies.get(COOKIE) ?? '')?.[0] ??
      Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
    Cookies.set(COOKIE, visitor, { expires: COOKIE_DAYS, sameSite: 'Lax', secure: location.protocol === 'https:' })
  } catch {
    // Cookies are forbidden: this visitor has no number, and each page counts by itself.
  }
}

/** The queue where storage is blocked: then it lasts as long as the page. */
let blockedQueue: readonly UsageEvent[] = []

function readQueue(): readonly UsageEvent[] {
  try {
    const queue: unknown = JSON.parse(localStorage.getItem(QUEUE) ?? '[]')
    return Array.isArray(queue) ? queue : []
  } catch {
    // Storage is blocked or holds something else: there is nothing to send from an earlier page.
    return blockedQueue
  }
}

function keepQueue(queue: readonly UsageEvent[]): void {
  blockedQueue = queue
  try {
    if (queue.length === 0) localStorage.removeItem(QUEUE)
    else localStorage.setItem(QUEUE, JSON.stringify(queue))
  } catch {
    // Storage is blocked: the page remembers. Or it is full: these events are lost, which analytics can bear.
  }
}

/** True once the server has taken them, or never will. */
async function post(events: readonly UsageEvent[]): Promise<boolean> {
  try {
    const answer = await fetch('/analytics/events', {
      method: 'POST',
      // The event of a click on a link must outlive the page.
      keepalive: true,
      headers: {
        'Content-Type': 'application/json',
        'X-CSRF-Token': document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? '',
      },
      body: JSON.stringify({ events }),
    })
    // A 4xx will be one next time too.
    return answer.status < 500
  } catch {
    // Offline: kept, and the next event takes these along.
    return false
  }
}

let isSending = false

/** One request at a time, each event in one of them: what comes meanwhile waits for the next. */
async function send(events: readonly UsageEvent[]): Promise<void> {
  keepQueue([...readQueue(), ...events].slice(-QUEUE_LIMIT))
  if (isSending) return
  isSending = true
  for (let batch = readQueue(); batch.length > 0; batch = readQueue()) {
    // Out of the queue before it travels: the request outlives the page, and the next page must not send it again.
    keepQueue([])
    if (await post(batch)) continue
    keepQueue([...batch, ...readQueue()].slice(-QUEUE_LIMIT))
    break
  }
  isSending = false
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
