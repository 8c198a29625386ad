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

// The ledger keeps parts without knowing what they are; this is where they get their meaning back.
export const evidenceOf = (opened: OpenedConsent) => opened.evidence as Evidence
export const identityOf = (opened: OpenedConsent) => opened.identity as Identity
export const recordOf = (opened: OpenedConsent): ConsentRecord =>
  toRecord(opened.index, evidenceOf(opened), identityOf(opened))

/** The subject's records, in the order of the ledger. */
export async function recordsOf({ ledger, blind }: Site, subject: string): Promise<OpenedConsent[]> {
  return ledger.open(await ledger.findSubject(blind.subject(subject)))
}
