/**
 * Alarms to an address of the operator's, signed as Standard Webhooks has it (standardwebhooks.com): the signature covers the
 * time, so that one that was overheard can't be sent again later, and the id, so that one that comes twice is told.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { InputError } from '../problem.js'
import type { Alarm } from './alarms.js'

export interface WebhookTarget {
  readonly url: string
  /** 24 to 64 bytes. */
  readonly secret: Uint8Array
}

/** What sending needs of the world. */
export interface WebhookWorld {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly timeout: (ms: number) => AbortSignal
  /** Calls once, after so many milliseconds; what it answers takes that back. */
  readonly later: (ms: number, call: () => void) => () => void
  readonly now: () => number
  readonly warn: (line: string) => void
}

const ANSWER_TIMEOUT_MS = 10_000
/** After a failure it is tried again, so often and so much later each time. */
const RETRY_MS = [5000, 60_000, 600_000]
/** Waiting to be sent again. While the address is down, the oldest stand in the process's log alone. */
const WAITING_LIMIT = 100

/** `AVOW_ALARM_URL` and `AVOW_ALARM_SECRET`. Throws `InputError`. */
export function parseWebhook(url: string | undefined, secret: string | undefined): WebhookTarget | null {
  if (!url && !secret) return null
  if (!url || !/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new InputError('AVOW_ALARM_URL', 'an http(s) address')
  const encoded = (secret ?? '').replace(/^whsec_/, '')
  const bytes = /^[A-Za-z0-9+/]+=*$/.test(encoded) ? Buffer.from(encoded, 'base64') : Buffer.alloc(0)
  if (bytes.length < 24 || bytes.length > 64)
    throw new InputError(
      'AVOW_ALARM_SECRET',
      '24 to 64 random bytes in base64, with or without whsec_ in front: openssl rand -base64 32',
    )
  return { url, secret: bytes }
}

export interface Webhook {
  /** Returns at once. What can't be delivered is told. */
  send(alarm: Alarm): void
  /** Lets go of what is under way. */
  close(): Promise<void>
}

export function createWebhook({ url, secret }: WebhookTarget, world: WebhookWorld): Webhook {
  const waiting = new Map<string, () => void>()
  const running = new Set<Promise<void>>()
  const closing = new AbortController()

  const deliver = async (id: string, body: string, tries: number): Promise<void> => {
    waiting.delete(id)
    // Of this try: who receives it refuses one of long ago.
    const timestamp = String(Math.floor(world.now() / 1000))
    const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
    try {
      const response = await world.fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${signature}`,
        },
        body,
        redirect: 'error',
        signal: AbortSignal.any([closing.signal, world.timeout(ANSWER_TIMEOUT_MS)]),
      })
      await response.body?.cancel()
      if (!response.ok) throw new Error(`it answers ${response.status}`)
    } catch (error) {
      const delayMs = RETRY_MS[tries]
      if (closing.signal.aborted) return
      if (delayMs !== undefined && waiting.size < WAITING_LIMIT)
        waiting.set(
          id,
          world.later(delayMs, () => start(id, body, tries + 1)),
        )
      else world.warn(`an alarm could not be sent to ${new URL(url).host}: ${(error as Error).message}`)
    }
  }
  const start = (id: string, body: string, tries: number) => {
    const delivery = deliver(id, body, tries)
    running.add(delivery)
    void delivery.then(() => running.delete(delivery))
  }
  return {
    send({ at, ...alarm }) {
      const id = `alarm_${randomBytes(12).toString('base64url')}`
      start(id, JSON.stringify({ type: alarm.kind, timestamp: new Date(at).toISOString(), data: alarm }), 0)
    },
    async close() {
      closing.abort()
      for (const cancel of waiting.values()) cancel()
      await Promise.all(running)
    },
  }
}
