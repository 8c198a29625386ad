/** The story of a server that is killed again and again under load, told of whatever store it has. */
import { setTimeout as pause } from 'node:timers/promises'
import { Observer } from './observer.js'
import { createKey, type Place, type Server, startServer } from './place.js'
import { allRecords, ask } from './privacy-team.js'
import { type Acknowledged, type Compose, composer, each, record, startCrowd } from './visitors.js'

/** Submissions under way at once: enough that a kill finds one batch being written and another one waiting. */
const VISITORS = 24

/** Between these, a server lives on under load once its first answer came. */
const LONGEST_LIFE_MS = 250

/** Between whole readings of all records, which take longer the more there are; the last life always has one. */
const LIVES_BETWEEN_READINGS = 10

export interface Counts {
  kills: number
  acknowledged: number
  /** Submissions that the kill left without an answer; sent again, like a browser does. */
  unanswered: number
  /** Of those, how many stood in the log after all. */
  unansweredRecorded: number
  /** Checkpoints that outsiders hold, each found to be a prefix of the log after every kill. */
  checkpoints: number
  /** Entries in the log at the end. */
  entries: number
}

const sameAnswer = ({ id, index, subject, recordedAt }: Acknowledged['receipt']) =>
  `${id} at ${index} of ${subject}, ${recordedAt}`

/** Every acknowledged submission, sent again, is answered 200 with the same place. */
async function resendAcknowledged(server: Server, acknowledged: readonly Acknowledged[]): Promise<void> {
  await each(acknowledged, VISITORS, async ({ submission, receipt }) => {
    const again = await record(server, submission)
    if (again.status !== 200) throw new Error(`lost: ${sameAnswer(receipt)} was acknowledged and is recorded anew`)
    if (sameAnswer(again.receipt) !== sameAnswer(receipt))
      throw new Error(`moved: ${sameAnswer(receipt)} is now ${sameAnswer(again.receipt)}`)
  })
}

/** Every acknowledged record opens, by its id. */
async function openEach(server: Server, key: string, acknowledged: readonly Acknowledged[]): Promise<void> {
  await each(acknowledged, VISITORS, async ({ receipt }) => {
    const answer = await ask(server, key, `records/${receipt.id}`)
    const text = await answer.text()
    if (answer.status !== 200) throw new Error(`${sameAnswer(receipt)} does not open: ${answer.status} ${text}`)
    const { record: opened } = JSON.parse(text) as { record: Acknowledged['receipt'] }
    if (sameAnswer(opened) !== sameAnswer(receipt)) throw new Error(`${sameAnswer(receipt)} opens as another`)
  })
}

/** Vault and ledger agree: each consent of the log opens, and nothing opens that isn't in it. */
async function openAll(server: Server, key: string, entries: readonly Buffer[]): Promise<Set<string>> {
  const records = await allRecords(server, key)
  const consents = entries.filter((entry) => entry.includes('"type":"consent"')).length
  if (records.length !== consents) throw new Error(`${records.length} records open, the log has ${consents}`)
  return new Set(records.map(({ id, index }) => `${id} ${index}`))
}

/** Throws at the first thing that is not as it was promised. The place is left with its server stopped. */
export async function surviveKills(place: Place, kills: number): Promise<Counts> {
  const all: Acknowledged[] = []
  const counts: Counts = {
    kills: 0,
    acknowledged: 0,
    unanswered: 0,
    unansweredRecorded: 0,
    checkpoints: 0,
    entries: 0,
  }
  let server = await startServer(place)
  const key = await createKey(place)
  const observer = new Observer(server.vkey)
  const compose: Compose = await composer(server)
  try {
    while (counts.kills < kills) {
      const crowd = startCrowd(server, compose, VISITORS)
      await crowd.reached(1 + Math.floor(Math.random() * VISITORS))
      // The moment of the kill is the subject here: anywhere in a batch, not just after an answer.
      await pause(Math.random() * LONGEST_LIFE_MS)
      await server.end('SIGKILL')
      await crowd.over
      counts.kills++
      if (crowd.refused.length > 0) throw new Error(`a healthy server answered ${crowd.refused[0]}`)
      for (const { receipt } of crowd.acknowledged) observer.seeReceipt(receipt)
      all.push(...crowd.acknowledged)

      server = await startServer(place)
      await observer.verify(server.logUrl)
      await resendAcknowledged(server, crowd.acknowledged)
      await openEach(server, key, crowd.acknowledged)
      await each(crowd.unanswered, VISITORS, async (submission) => {
        const { status, receipt } = await record(server, submission)
        observer.seeReceipt(receipt)
        if (status === 200) counts.unansweredRecorded++
        all.push({ submission, receipt })
      })
      counts.unanswered += crowd.unanswered.length
      if (counts.kills % LIVES_BETWEEN_READINGS === 0 || counts.kills === kills) {
        const { entries } = await observer.verify(server.logUrl)
        const opened = await openAll(server, key, entries)
        const lost = all.find(({ receipt }) => !opened.has(`${receipt.id} ${receipt.index}`))
        if (lost) throw new Error(`lost: ${sameAnswer(lost.receipt)}`)
        counts.entries = entries.length
      }
    }
    await resendAcknowledged(server, all)
    const status = await server.end('SIGTERM')
    if (status !== 0) throw new Error(`asked to stop, it ended with ${status}: ${server.stderr()}`)
  } catch (error) {
    throw new Error(`after ${counts.kills} kills: ${(error as Error).message}\nthe server said:\n${server.stderr()}`, {
      cause: error,
    })
  } finally {
    await server.end('SIGKILL')
  }
  return { ...counts, acknowledged: all.length, checkpoints: observer.seen }
}
