/** What a subject, or an account, has chosen, from the records there are. Pure. */
import type { RecordedDecision, State } from '@avow/sdk/wire'
import type { Evidence, Identity } from './record.js'

/** What the rule needs of a record. */
export interface Counted {
  readonly index: number
  readonly evidence: Pick<Evidence, 'action' | 'choices' | 'decidedAt' | 'recordedAt' | 'clock' | 'policy'>
}

const isGrant = ({ evidence }: Counted) => Object.values(evidence.choices).some(Boolean)

/** When it was decided: the browser's word where its clock is plausible, else the server's. Unix milliseconds. */
const decidedAt = ({ evidence }: Pick<Counted, 'evidence'>) =>
  Date.parse(evidence.clock === 'ok' ? evidence.decidedAt : evidence.recordedAt)

/**
 * Whether a grant undoes a denial: only if it is later by both clocks, the one it was decided by and the one it was
 * recorded by. So neither a grant that arrives late, nor one of a clock that runs ahead, beats a withdrawal, and a clock
 * that runs behind doesn't keep anybody from changing their mind (docs/decisions/0007).
 */
const undoes = (grant: Counted, denial: Counted) =>
  isRecordedAfter(grant, denial) && decidedAt(grant) > decidedAt(denial)

/** By time first: indexes of two epochs can't be compared. */
function isRecordedAfter(a: Counted, b: Counted): boolean {
  const difference = Date.parse(a.evidence.recordedAt) - Date.parse(b.evidence.recordedAt)
  return difference === 0 ? a.index > b.index : difference > 0
}

/**
 * Whether a record takes over what another of these said. Then it says nothing new: counted by itself, the grant of a device
 * that was long offline would be recorded later than a withdrawal, and an old choice later than a newer one. Cookies keep
 * seconds, so no more is compared.
 */
function isTakenOver(link: Counted, records: readonly Counted[]): boolean {
  if (link.evidence.action !== 'link') return false
  const second = ({ evidence }: Counted) => Math.floor(decidedAt({ evidence }) / 1000)
  const chosen = Object.entries(link.evidence.choices)
  return records.some(
    (record) =>
      record.evidence.action !== 'link' &&
      second(record) === second(link) &&
      Object.keys(record.evidence.choices).length === chosen.length &&
      chosen.every(([category, granted]) => record.evidence.choices[category] === granted),
  )
}

/** The record that decides: the newest grant that undoes every denial, or else the newest denial. Null where there is none. */
export function decisive<T extends Counted>(all: readonly T[]): T | null {
  const records = all.filter((record) => !isTakenOver(record, all))
  const newest = (some: readonly T[]) =>
    some.reduce<T | null>((latest, record) => (latest && isRecordedAfter(latest, record) ? latest : record), null)
  const denials = records.filter((record) => !isGrant(record))
  const grants = records.filter((record) => isGrant(record) && denials.every((denial) => undoes(record, denial)))
  return newest(grants) ?? newest(denials)
}

/** `accepts`: the policy labels under which a choice still stands. `now`: Unix milliseconds. */
export function stateOf(
  records: readonly (Counted & { evidence: Pick<Evidence, 'validUntil'> })[],
  accepts: readonly string[],
  now: number,
): State {
  const latest = decisive(records)
  if (!latest) return 'undecided'
  if (!isGrant(latest)) return records.some(isGrant) ? 'withdrawn' : 'refused'
  if (!accepts.includes(latest.evidence.policy.version)) return 'superseded'
  return now >= Date.parse(latest.evidence.validUntil) ? 'lapsed' : 'granted'
}

/** A record as it travels to the browser that it is of, or to another of its account: nothing of the identity but its id. */
export function decisionOf({ evidence, identity }: { evidence: Evidence; identity: Identity }): RecordedDecision {
  const { action, choices, layer, policy, notice, gpc, recordedAt, validUntil } = evidence
  return {
    ...{ id: identity.id, action, choices, layer, policy, notice, gpc },
    // As it counts: what a clock said that is off by more than a day would be no use to another device.
    decidedAt: new Date(decidedAt({ evidence })).toISOString(),
    ...{ recordedAt, validUntil },
  }
}
