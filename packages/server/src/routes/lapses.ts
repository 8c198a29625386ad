/**
 * The server's own records: a grant ends when nothing was known of its subject for as long as the policy allows, and a day.
 * Asked of the last days that the vault keeps; several nodes may do it at once, since a lapse has one key.
 */
import { hash } from 'node:crypto'
import { facetOf } from '../consent/facet.js'
import { composeLapse } from '../consent/record.js'
import { lasting } from '../consent/state.js'
import { dayOf } from '../consent/utc-day.js'
import { ErasedError, type Ledger } from '../ledger/ledger.js'
import type { ActiveDay } from '../storage/storage.js'
import { recordsUnder, type Site } from './site.js'

/** Subjects looked at in one step, which becomes one batch. */
const STEP = 128

/** Appends what is due; answers how many lapses that were. */
export async function recordLapses(site: Site, now: number): Promise<number> {
  // An older copy doesn't know who was active since.
  if (site.ledger.fork !== null) return 0
  await site.active.flush()
  // Days are whole: on the last of them anybody may have been active until its end.
  const until = dayOf(now) - (site.book.current.inactivityDays + 1)
  let count = 0
  for (const ledger of site.logs.values()) {
    for (let idle = await ledger.idle(until, STEP); idle.length > 0; idle = await ledger.idle(until, STEP)) {
      const appended = await Promise.all(idle.map((active) => recordLapse(site, ledger, active)))
      count += appended.filter(Boolean).length
      await ledger.dropActive(idle)
    }
  }
  return count
}

async function recordLapse(site: Site, keptIn: Ledger, { subject, day }: ActiveDay): Promise<boolean> {
  const records = await recordsUnder(site, subject)
  const grant = lasting(records)
  // With records of a newer epoch, there is a newer day beside them.
  if (!grant || records.at(-1)?.log !== keptIn.log) return false
  const { account } = grant.identity
  const id = site.blind.lapse(subject, day)
  try {
    const appended = await site.ledger.append({
      key: site.blind.submission(id),
      fingerprint: hash('sha256', `avow/lapse/v1/${id}`, 'buffer'),
      compose: (recordedAt) => {
        const parts = composeLapse(id, grant, day, recordedAt)
        return {
          kind: 'consent',
          subject,
          account: account === null ? null : site.blind.account(account),
          facet: site.blind.hideFacet(facetOf(parts.evidence)),
          ...parts,
        }
      },
    })
    return !appended.repeated
  } catch (error) {
    // It was recorded, and erased since: that stands.
    if (error instanceof ErasedError) return false
    throw error
  }
}
