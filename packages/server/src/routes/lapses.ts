/**
 * The server's own records: a grant ends when nothing was known of its subject for as long as the policy allows, and a day.
 * Asked of the last days that the vault keeps; several nodes may do it at once, since a lapse has one key.
 */
import { hash } from 'node:crypto'
import { facetOf } from '../consent/facet.js'
import { composeLapse } from '../consent/record.js'
import { isDecided, lasting } from '../consent/state.js'
import { dayOf } from '../consent/utc-day.js'
import { ErasedError, type Ledger } from '../ledger/ledger.js'
import type { ActiveDay } from '../storage/storage.js'
import { recordsUnder, type Site } from './site.js'

/** Subjects looked at in one step, which becomes one batch. */
const STEP = 128

/**
 * The last day, UTC days since 1970-01-01, on which somebody has to have been active to have lapsed by `today`: as many whole
 * days lie behind it as the policy says. Null where on one of them, or today, no server was there to hear of anybody: after
 * an outage, an older copy of the vault or a clock that jumped, everybody has the whole term again. Pure.
 */
export function lapsedUntil(served: readonly number[], inactivityDays: number, today: number): number | null {
  const known = new Set(served)
  for (let day = today - inactivityDays; day <= today; day++) if (!known.has(day)) return null
  return today - inactivityDays - 1
}

/** Appends what is due; answers how many lapses that were. */
export async function recordLapses(site: Site, now: number): Promise<number> {
  // An older copy doesn't know who was active since.
  if (site.ledger.fork !== null) return 0
  await site.active.flush()
  const today = dayOf(now)
  await site.ledger.keepServed(today)
  // Of earlier epochs, too: somebody's last day may have been in one.
  const served = (await Promise.all([...site.logs.values()].map((ledger) => ledger.served()))).flat()
  const until = lapsedUntil(served, site.book.current.inactivityDays, today)
  if (until === null) return 0
  let count = 0
  for (const ledger of site.logs.values()) {
    for (let idle = await ledger.idle(until, STEP); idle.length > 0; idle = await ledger.idle(until, STEP)) {
      const outcomes = await Promise.all(idle.map((active) => recordLapse(site, ledger, active)))
      count += outcomes.filter((outcome) => outcome === 'recorded').length
      // Those of a day that was not kept first: what is dropped is no later day than the one that was found.
      const known = outcomes.filter((outcome) => typeof outcome === 'object')
      if (known.length > 0) await ledger.keepActive(known)
      await ledger.dropActive(idle)
    }
  }
  return count
}

/** Answers a later day instead, where a record says that they were active on it: a crash may have lost what was to be kept of it. */
async function recordLapse(
  site: Site,
  keptIn: Ledger,
  { subject, day }: ActiveDay,
): Promise<'recorded' | 'nothing' | ActiveDay> {
  const records = await recordsUnder(site, subject)
  const grant = lasting(records)
  // With records of a newer epoch, there is a newer day beside them.
  if (!grant || records.at(-1)?.log !== keptIn.log) return 'nothing'
  const decided = records.filter(isDecided).map(({ evidence }) => dayOf(Date.parse(evidence.recordedAt)))
  const last = Math.max(day, ...decided)
  if (last > day) return { subject, day: last }
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
    return appended.repeated ? 'nothing' : 'recorded'
  } catch (error) {
    // It was recorded, and erased since: that stands.
    if (error instanceof ErasedError) return 'nothing'
    throw error
  }
}
