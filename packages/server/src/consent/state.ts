/** What a subject has chosen, from the records there are. Pure. */
import type { State } from '@avow/sdk/wire'
import type { Evidence } from './record.js'

/** What the rule needs of a record. */
export interface Counted {
  readonly index: number
  readonly evidence: Pick<Evidence, 'choices' | 'decidedAt' | 'recordedAt' | 'clock' | 'policy'>
}

const isGrant = ({ evidence }: Counted) => Object.values(evidence.choices).some(Boolean)

/**
 * When a record counts from, for order: a grant at the earlier of the browser's and the server's time, a denial at the
 * server's. So a browser whose clock runs ahead can't make a grant beat a later withdrawal.
 */
export function countsFrom(record: Counted): number {
  const recordedAt = Date.parse(record.evidence.recordedAt)
  if (!isGrant(record) || record.evidence.clock === 'implausible') return recordedAt
  return Math.min(recordedAt, Date.parse(record.evidence.decidedAt))
}

/** The record that decides: the one that counts from the latest instant, then the later in the ledger. */
export function decisive<T extends Counted>(records: readonly T[]): T | null {
  return records.reduce<T | null>((latest, record) => {
    if (!latest) return record
    const difference = countsFrom(record) - countsFrom(latest)
    return difference > 0 || (difference === 0 && record.index > latest.index) ? record : latest
  }, null)
}

/** `accepts`: the policy labels under which a choice still stands. `now`: Unix milliseconds. */
export function stateOf(
  records: readonly (Counted & { evidence: Pick<Evidence, 'validUntil'> })[],
  accepts: readonly string[],
  now: number,
): State {
  const latest = decisive(records)
  if (!latest) return 'undecided'
  if (!isGrant(latest)) return records.some((record) => isGrant(record) && record !== latest) ? 'withdrawn' : 'refused'
  if (!accepts.includes(latest.evidence.policy.version)) return 'superseded'
  return now >= Date.parse(latest.evidence.validUntil) ? 'lapsed' : 'granted'
}
