/** What a subject, or an account, has chosen, now or at an instant, from the records there are. Pure. */
import type { RecordedDecision, State } from '@avow/sdk/wire'
import type { Decided, Evidence, Identity } from './record.js'

/** What the rule needs of a record. */
export interface Counted {
  readonly index: number
  readonly evidence: Pick<
    Evidence,
    'action' | 'choices' | 'decidedAt' | 'recordedAt' | 'clock' | 'policy' | 'validUntil'
  >
  readonly identity: Pick<Identity, 'subject'>
}

/** Why a state is what it is. */
export type Reason =
  | 'no-choice'
  | 'grant-stands'
  | 'denied'
  | 'denied-after-grant'
  | 'policy-replaced'
  | 'no-activity'
  | 'too-old'

export interface Verdict<T> {
  readonly state: Exclude<State, 'restricted' | 'erased'>
  readonly reason: Reason
  /** What it rests on, what decides first; none where nothing was chosen. */
  readonly records: readonly T[]
}

const isGrant = ({ evidence }: Counted) => Object.values(evidence.choices).some(Boolean)
const isLapse = ({ evidence }: Counted) => evidence.action === 'lapse'

/** When it was decided: the browser's word where its clock is plausible, else the server's. Unix milliseconds. */
const decidedAt = ({ evidence }: Pick<Counted, 'evidence'>) =>
  Date.parse(evidence.clock === 'ok' ? evidence.decidedAt : evidence.recordedAt)

/** When it was chosen: decided, or recorded if that was earlier. */
const chosenAt = (record: Counted) => Math.min(decidedAt(record), Date.parse(record.evidence.recordedAt))

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

const newest = <T extends Counted>(some: readonly T[]) =>
  some.reduce<T | null>((latest, record) => (latest && isRecordedAfter(latest, record) ? latest : record), null)

/** Whether a record is of the same choice, made in the same second, as this one, which was taken over. Cookies keep seconds. */
function takesOver(link: Counted, record: Counted): boolean {
  if (link.evidence.action !== 'link' || record.evidence.action === 'link' || isLapse(record)) return false
  const second = ({ evidence }: Counted) => Math.floor(decidedAt({ evidence }) / 1000)
  const chosen = Object.entries(link.evidence.choices)
  return (
    second(record) === second(link) &&
    Object.keys(record.evidence.choices).length === chosen.length &&
    chosen.every(([category, granted]) => record.evidence.choices[category] === granted)
  )
}

/**
 * The lapse that ended this grant of its subject: the newest that it doesn't undo. What is known of one device ends nothing on
 * another, and what nobody did since a day ends nothing that came after it, though it is recorded later: they were at it at once.
 */
const lapseOf = <T extends Counted>(grant: T, all: readonly T[]): T | null =>
  newest(
    all.filter(
      (one) =>
        isLapse(one) &&
        one.identity.subject === grant.identity.subject &&
        !undoes(grant, one) &&
        // What was taken over since is no newer for that.
        chosenAt(grant) <= decidedAt(one),
    ),
  )

/** The choice that counts, and the lapse that ended it: null where none did. */
interface Standing<T> {
  readonly choice: T
  readonly lapse: T | null
}

/**
 * What was chosen last: the newest grant that undoes every denial, or else the newest denial. Of such grants those come first
 * that no lapse ended, on a device that made the choice or took it over. Null where nobody chose anything.
 *
 * What a record takes over says nothing new: counted by itself, the grant of a device that was long offline would be
 * recorded later than a withdrawal, and an old choice later than a newer one.
 */
function standing<T extends Counted>(all: readonly T[]): Standing<T> | null {
  const choices = all.filter((record) => !isLapse(record) && !all.some((other) => takesOver(record, other)))
  const denials = choices.filter((record) => !isGrant(record))
  const grants = choices.filter((record) => isGrant(record) && denials.every((denial) => undoes(record, denial)))
  const lapseIn = (grant: T) => {
    const lapses = [grant, ...all.filter((link) => takesOver(link, grant))].map((held) => lapseOf(held, all))
    return lapses.includes(null) ? null : newest(lapses.filter((lapse) => lapse !== null))
  }
  const choice = newest(grants.filter((grant) => lapseIn(grant) === null)) ?? newest(grants) ?? newest(denials)
  return choice && { choice, lapse: isGrant(choice) ? lapseIn(choice) : null }
}

/** The choice that counts; null where there is none, or where all that was granted has lapsed for want of activity. */
export function decisive<T extends Counted>(records: readonly T[]): T | null {
  const found = standing(records)
  return found && found.lapse === null ? found.choice : null
}

/** The grant that would end if nothing more were heard of anybody; null where there is none. */
export function lasting<T extends Counted>(records: readonly T[]): T | null {
  const choice = decisive(records)
  return choice && isGrant(choice) ? choice : null
}

/** `accepts`: the policy labels under which a choice still stands. `now`: Unix milliseconds. */
export function judge<T extends Counted>(records: readonly T[], accepts: readonly string[], now: number): Verdict<T> {
  const found = standing(records)
  if (!found) {
    // The grant that it ended may have been erased, and the lapse be left.
    const lapse = newest(records.filter(isLapse))
    return lapse
      ? { state: 'lapsed', reason: 'no-activity', records: [lapse] }
      : { state: 'undecided', reason: 'no-choice', records: [] }
  }
  const { choice, lapse } = found
  if (!isGrant(choice)) {
    const grant = newest(records.filter(isGrant))
    return grant
      ? { state: 'withdrawn', reason: 'denied-after-grant', records: [choice, grant] }
      : { state: 'refused', reason: 'denied', records: [choice] }
  }
  if (!accepts.includes(choice.evidence.policy.version))
    return { state: 'superseded', reason: 'policy-replaced', records: [choice] }
  if (lapse) return { state: 'lapsed', reason: 'no-activity', records: [lapse, choice] }
  if (now >= Date.parse(choice.evidence.validUntil)) return { state: 'lapsed', reason: 'too-old', records: [choice] }
  return { state: 'granted', reason: 'grant-stands', records: [choice] }
}

export const stateOf = (records: readonly Counted[], accepts: readonly string[], now: number): State =>
  judge(records, accepts, now).state

/**
 * Since when a record counts: a grant since it was chosen; a denial since it was recorded.
 * So does what is taken over, which may have been chosen years before it was known here.
 */
function countsFrom(record: Counted): number {
  const isOwn = isGrant(record) && record.evidence.action !== 'link'
  return isOwn ? chosenAt(record) : Date.parse(record.evidence.recordedAt)
}

/** The records that counted at an instant, Unix milliseconds. */
export const countedAt = <T extends Counted>(records: readonly T[], at: number): T[] =>
  records.filter((record) => countsFrom(record) <= at)

/** What somebody decided: all but the server's own lapses. */
export const isDecided = <T extends { readonly evidence: Evidence }>(
  record: T,
): record is T & { readonly evidence: Decided } => record.evidence.action !== 'lapse'

/** A record as it travels to the browser that it is of, or to another of its account: nothing of the identity but its id. */
export function decisionOf({ evidence, identity }: { evidence: Decided; identity: Identity }): RecordedDecision {
  const { action, choices, layer, policy, notice, gpc, recordedAt, validUntil } = evidence
  return {
    ...{ id: identity.id, action, choices, layer, policy, notice, gpc },
    // As it counts: what a clock said that is off by more than a day would be no use to another device.
    decidedAt: new Date(decidedAt({ evidence })).toISOString(),
    ...{ recordedAt, validUntil },
  }
}
