/** A site as the routes know it: its ledger, its published policies, and what lies between the two. */

import type { AccessLog } from '../access/access-log.js'
import type { SetPageOptions } from '../consent/page-options.js'
import type { PolicyBook } from '../consent/policy.js'
import { type ConsentRecord, type Evidence, type Identity, toRecord } from '../consent/record.js'
import { lasting } from '../consent/state.js'
import { dayOf } from '../consent/utc-day.js'
import type { Ledger, OpenedConsent } from '../ledger/ledger.js'
import type { Publication } from '../ledger/publication.js'
import type { AccountKeys } from '../middleware/account.js'
import { Refusal } from '../problem.js'
import type { Head } from '../storage/storage.js'
import type { Blinder } from '../vault/blind.js'
import type { LastActive } from '../vault/last-active.js'

export interface Site {
  readonly name: string
  /** The log that is appended to. */
  readonly ledger: Ledger
  /** The logs by the name they are served under: this one, and those of earlier epochs, which are read alone. */
  readonly logs: ReadonlyMap<string, Ledger>
  /** By the same names, what witnesses cosigned; empty where there are none. */
  readonly publications: ReadonlyMap<string, Publication>
  readonly book: PolicyBook
  readonly blind: Blinder
  readonly active: LastActive
  /** Origins of the pages that may submit. */
  readonly origins: ReadonlySet<string>
  /** Whether anybody may read the log. */
  readonly publicLog: boolean
  /** How its pages behave, as far as the operator has set it. */
  readonly page: SetPageOptions
  /** What account tokens are signed with; null where there are no accounts. */
  readonly accountKeys: AccountKeys | null
  /** Who asked the private surface for what. */
  readonly access: AccessLog
}

export type Sites = ReadonlyMap<string, Site>

/** Throws a `Refusal` (404) for a site that isn't here. */
export function siteOf(sites: Sites, name: string): Site {
  const site = sites.get(name)
  if (!site) throw new Refusal('not-found', 'no such site here', { field: 'site' })
  return site
}

/**
 * Throws a `Refusal` (403) for a page that isn't on the list of the site. Browsers name the page's origin in every POST;
 * what comes without one is no page, and could name any.
 */
export function refuseOrigin(site: Site, origin: string | undefined): void {
  if (origin !== undefined && !site.origins.has(origin))
    throw new Refusal('origin-refused', 'add the origin to the list of the site')
}

/** A record that is linked to a person: none of its parts was erased. */
export interface LinkedRecord extends OpenedConsent {
  readonly evidence: Evidence
  readonly identity: Identity
  readonly secrets: { readonly evidence: Uint8Array; readonly identity: Uint8Array }
}

// The ledger keeps parts without knowing what they are; this is where they get their meaning back.
export const isLinked = (opened: OpenedConsent): opened is LinkedRecord =>
  opened.evidence !== null && opened.identity !== null

export const recordOf = ({ log, index, evidence, identity }: LinkedRecord): ConsentRecord =>
  toRecord(log, index, evidence, identity)

/** The records at these indexes of a log, without those that are linked to nobody any more. */
export async function openLinked(ledger: Ledger, indexes: readonly number[]): Promise<LinkedRecord[]> {
  return (await ledger.open(indexes)).filter(isLinked)
}

/** The log of the site that has an entry under this key, and where; null if none has. */
export async function findEntry({ logs }: Site, key: Uint8Array): Promise<{ ledger: Ledger; index: number } | null> {
  for (const ledger of logs.values()) {
    const index = await ledger.find(key)
    if (index !== null) return { ledger, index }
  }
  return null
}

/** The head whose checkpoint is served. Rejects with `UnavailableError` where witnesses are needed and none cosigned yet. */
export function servedHead({ publications }: Site, ledger: Ledger): Promise<Head> {
  return publications.get(ledger.log)?.served() ?? ledger.latest()
}

/**
 * A head that proves all entries below `size`: the newest that witnesses cosigned, where there is one, else the newest. A
 * restored copy may lack entries that were cosigned, and proves by what it has.
 */
export async function provingHead({ publications }: Site, ledger: Ledger, size: number): Promise<Head> {
  const cosigned = publications.get(ledger.log)?.cosigned
  return cosigned && cosigned.size >= size && cosigned.size <= ledger.head.size ? cosigned : ledger.latest()
}

/** The log of this name, of whatever site, with its site; throws a `Refusal` (404) where there is none. `isAccess`: an access log. */
export function logOf(sites: Sites, name: string): { site: Site; ledger: Ledger; isAccess: boolean } {
  for (const site of sites.values()) {
    const [records, accesses] = [site.logs.get(name), site.access.ledger(name)]
    const ledger = records ?? accesses
    if (ledger) return { site, ledger, isAccess: records === undefined }
  }
  throw new Refusal('not-found', 'no such log here', { field: 'site' })
}

/** The subject's records of one log, in its order. */
export async function recordsIn(ledger: Ledger, { blind }: Site, subject: string): Promise<LinkedRecord[]> {
  return openLinked(ledger, await ledger.findSubject(blind.subject(subject)))
}

/** The subject's records of all epochs, oldest first. */
export async function recordsOf(site: Site, subject: string): Promise<LinkedRecord[]> {
  return recordsUnder(site, site.blind.subject(subject))
}

/** The same by the subject's key. */
export async function recordsUnder(site: Site, key: Uint8Array): Promise<LinkedRecord[]> {
  return allRecords(site, (ledger) => ledger.findSubject(key))
}

/** The records of all of an account's subjects, of all epochs, oldest first. */
export async function recordsOfAccount(site: Site, account: string): Promise<LinkedRecord[]> {
  return allRecords(site, (ledger) => ledger.findAccount(site.blind.account(account)))
}

async function allRecords({ logs }: Site, find: (ledger: Ledger) => Promise<number[]>): Promise<LinkedRecord[]> {
  const byLog = await Promise.all([...logs.values()].map(async (ledger) => openLinked(ledger, await find(ledger))))
  return byLog.reverse().flat()
}

/**
 * Takes note that a subject, whose records these are, is active: where a grant of theirs would lapse otherwise. `isNew`: by a
 * record of this moment.
 */
export function noteActivity(
  site: Site,
  subject: Uint8Array,
  records: readonly LinkedRecord[],
  now: number,
  isNew = false,
): void {
  if (!lasting(records)) return
  // Beside the newest record, so that whoever erases the last of them removes the day.
  const newest = [...site.logs.values()].find(({ log }) => records.some((record) => record.log === log))
  if (newest) site.active.seen(newest, { subject, day: dayOf(now) }, isNew)
}

/** A subject's records by its key, without opening again the one record that is at hand: for most it is the only one. */
export async function recordsBeside(site: Site, key: Uint8Array, fresh: LinkedRecord): Promise<LinkedRecord[]> {
  const byLog = await Promise.all(
    [...site.logs.values()].map(async (ledger) => {
      const others = (await ledger.findSubject(key)).filter(
        (index) => ledger.log !== fresh.log || index !== fresh.index,
      )
      return others.length === 0 ? [] : openLinked(ledger, others)
    }),
  )
  return [...byLog.reverse().flat(), fresh]
}
