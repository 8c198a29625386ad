/**
 * Sends each kept submission until the server has it, once: the id makes a second sending harmless. A click sends at
 * once; only retries wait for one another across tabs.
 */

import type { NoticeRef, PolicyRef, Submission, SubmissionAnswer } from '../wire.js'
import { cite } from './decide.js'
import { type Kept, type Pending, toJson } from './pending.js'

export interface Outbox {
  /** Sends what is pending; fulfils when each has been tried. Never rejects. */
  flush(): Promise<void>
}

/** What the outbox may touch. */
export interface Post {
  readonly pending: Pending
  /** `fetch` to `/v1/consents`. */
  send(body: string): Promise<Response>
  now(): number
  /** The notice of a choice that was made without one on screen. */
  notice(): Promise<NoticeRef & { readonly policy?: PolicyRef }>
  /** Calls back after so long, under whatever keeps other tabs from retrying at once. */
  later(delayMs: number, retry: () => Promise<void>): void
  /** The server has it. `last`: nothing else is pending. */
  onRecorded(kept: Kept, answer: SubmissionAnswer, last: boolean): void
  /** The server will never have it. */
  onRefused(kept: Kept): void
}

const firstDelayMs = 2000
const longestDelayMs = 300_000

type Outcome = 'done' | 'next' | 'stop'

export function createOutbox(post: Post): Outbox {
  const { pending } = post
  let running: Promise<void> | null = null
  let delayMs = firstDelayMs
  let waitMs = 0
  let scheduled = false

  async function send(kept: Kept): Promise<Outcome> {
    let whole = kept
    if (!whole.notice) {
      const words = await post.notice()
      // Who signed out meanwhile has given it another secret, and the one from before must not come back.
      whole = pending.list().find(({ id }) => id === kept.id) ?? kept
      whole = { ...whole, notice: cite(words), policy: words.policy ?? kept.policy }
      // Kept with its notice before it travels, so that every sending is the same.
      pending.add(whole)
    }
    const { decision: _, ...told } = whole
    const body = { ...told, ageMs: Math.max(0, post.now() - Date.parse(whole.decidedAt)) } as Submission
    const answer = await post.send(toJson(body))
    if (answer.ok) {
      const recorded = (await answer.json()) as SubmissionAnswer
      // A sign-in page of some network says 200 too.
      if (recorded?.id !== kept.id) return 'stop'
      pending.remove(kept.id)
      post.onRecorded(kept, recorded, pending.list().length === 0)
      return 'done'
    }
    const { status } = answer
    if (status >= 500 || [408, 425, 429].includes(status)) {
      waitMs = Math.min(longestDelayMs, 1000 * (Number(answer.headers.get('retry-after')) || 0))
      return 'stop'
    }
    // A node that does not have the newest policy yet.
    if (status === 422 && (await answer.json()).code === 'unknown-policy') return 'next'
    pending.remove(kept.id)
    post.onRefused(kept)
    return 'done'
  }

  async function sendAll(): Promise<void> {
    const tried = new Set<string>()
    let left = false
    for (;;) {
      // One at a time and listed anew: bodies sent with keepalive share 64 KiB, and a click may have added one.
      const kept = pending.list().find(({ id }) => !tried.has(id))
      if (!kept) break
      tried.add(kept.id)
      // The world is down: all of it is kept, and tried later.
      const outcome = await send(kept).catch((): Outcome => 'stop')
      left ||= outcome !== 'done'
      if (outcome === 'stop') break
    }
    if (!left) delayMs = firstDelayMs
    else if (!scheduled) {
      scheduled = true
      post.later(Math.max(delayMs, waitMs), () => {
        scheduled = false
        return flush()
      })
      delayMs = Math.min(delayMs * 2, longestDelayMs)
    }
    waitMs = 0
  }

  function flush(): Promise<void> {
    running ??= sendAll().finally(() => {
      running = null
    })
    return running
  }
  return { flush }
}
