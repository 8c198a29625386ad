/** A site as the routes know it: its ledger, its published policies, and what lies between the two. */

import type { PolicyBook } from '../consent/policy.js'
import { type ConsentRecord, type Evidence, type Identity, toRecord } from '../consent/record.js'
import type { Ledger, OpenedConsent } from '../ledger/ledger.js'
import { Refusal } from '../problem.js'
import type { Blinder } from '../vault/blind.js'

export interface Site {
  readonly name: string
  readonly ledger: Ledger
  readonly book: PolicyBook
  readonly blind: Blinder
  /** Origins of the pages that may submit. */
  readonly origins: ReadonlySet<string>
  /** Whether anybody may read the log. */
  readonly publicLog: boolean
}

export type Sites = ReadonlyMap<string, Site>

/** Throws a `Refusal` (404) for a site that isn't here. */
export function siteOf(sites: Sites, name: string): Site {
  const site = sites.get(name)
  if (!site) throw new Refusal('not-found', 'no such site here', { field: 'site' })
  return site
}

/** A record that is linked to a person: none of its parts was erased. */
export interface LinkedRecord extends OpenedConsent {
  readonly evidence: Evidence
  readonly identity: Identity
  readonly secrets: { readonly evidence: Uint8Array; readonly identity: Uint8Array }
}

// The ledger keeps parts without knowing what they are; this is where they get their meaning back.
const isLinked = (opened: OpenedConsent): opened is LinkedRecord => opened.evidence !== null && opened.identity !== null

export const recordOf = ({ index, evidence, identity }: LinkedRecord): ConsentRecord =>
  toRecord(index, evidence, identity)

/** The records at these indexes, without those that are linked to nobody any more. */
export async function openLinked({ ledger }: Site, indexes: readonly number[]): Promise<LinkedRecord[]> {
  return (await ledger.open(indexes)).filter(isLinked)
}

/** The subject's records, in the order of the ledger. */
export async function recordsOf(site: Site, subject: string): Promise<LinkedRecord[]> {
  return openLinked(site, await site.ledger.findSubject(site.blind.subject(subject)))
}
