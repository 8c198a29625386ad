/** Visitors who decide: submissions as a browser sends them, and what they were answered. */
import { createHash } from 'node:crypto'
import { avowSubmission } from '@avow/sdk/testing'
import type { Notice, Submission } from '@avow/sdk/wire'
import { PAGE_ORIGIN, type Server, SITE } from './place.js'

export type { Submission }

/** What a 201 or 200 says. */
export interface Receipt {
  readonly id: string
  readonly index: number
  readonly recordedAt: string
  readonly subject: string
  readonly receipt: string
}

export interface Acknowledged {
  readonly submission: Submission
  readonly receipt: Receipt
}

/** Fields may be given that no browser would send. */
export type Compose = (more?: Readonly<Record<string, unknown>>) => Submission

/** Reads the notice once; each call then makes another visitor's submission, right in everything. */
export async function composer(server: Server, language = 'en'): Promise<Compose> {
  const answer = await fetch(`${server.url}/v1/sites/${SITE}/notice?lang=${language}`)
  if (!answer.ok) throw new Error(`no notice: ${answer.status}`)
  const notice = (await answer.json()) as Notice
  return (more) => avowSubmission(SITE, notice, more as Partial<Submission>)
}

/** How the subject id is derived (formats.md), in the obvious way. */
export const subjectOf = ({ secret }: Submission): string =>
  createHash('sha256').update(`avow/subject/v1${SITE}\0`).update(Buffer.from(secret, 'base64url')).digest('base64url')

export const post = (server: Server, submission: Submission, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/v1/consents`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: PAGE_ORIGIN, ...headers },
    body: JSON.stringify(submission),
  })

/** Sends, and throws unless it was recorded, now or before. */
export async function record(
  server: Server,
  submission: Submission,
  headers: Record<string, string> = {},
): Promise<{ status: number; receipt: Receipt }> {
  const answer = await post(server, submission, headers)
  if (answer.status !== 201 && answer.status !== 200) {
    throw new Error(`a submission was answered ${answer.status} ${await answer.text()}`)
  }
  return { status: answer.status, receipt: (await answer.json()) as Receipt }
}

/** Runs over all of them, `width` at a time. */
export async function each<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < items.length) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

export interface Crowd {
  readonly acknowledged: readonly Acknowledged[]
  /** Sent, and never answered: recorded or not. */
  readonly unanswered: readonly Submission[]
  /** Answers that were no receipt, `503 {…}`. */
  readonly refused: readonly string[]
  /** Resolves once `count` submissions are acknowledged, or the server is gone. */
  reached(count: number): Promise<void>
  /** Resolves when every visitor has stopped: after `stop`, or when the server is gone. */
  readonly over: Promise<void>
  stop(): void
}

/** `width` visitors who send one submission after the other until the server is gone. */
export function startCrowd(server: Server, compose: Compose, width: number): Crowd {
  const acknowledged: Acknowledged[] = []
  const unanswered: Submission[] = []
  const refused: string[] = []
  let isOver = false
  let woken = () => {}
  const visitor = async () => {
    while (!isOver) {
      const submission = compose()
      try {
        const answer = await post(server, submission)
        const text = await answer.text()
        if (answer.status === 201) acknowledged.push({ submission, receipt: JSON.parse(text) as Receipt })
        else refused.push(`${answer.status} ${text}`)
      } catch {
        // The connection died: whether it was recorded is what a browser finds out by sending it again.
        unanswered.push(submission)
        isOver = true
      }
      woken()
    }
  }
  const over = Promise.all(Array.from({ length: width }, visitor)).then(() => {
    woken()
  })
  return {
    acknowledged,
    unanswered,
    refused,
    over,
    reached: (count) =>
      new Promise((resolve) => {
        woken = () => {
          if (acknowledged.length >= count || isOver) resolve()
        }
        woken()
      }),
    stop() {
      isOver = true
    },
  }
}
