/**
 * What may be said of a record without opening it, and of many at once: enumerations, nothing of a person, nothing of its
 * own. The vault keeps it as text, so that filters and counts needn't open what they are about.
 */
import type { Evidence } from './record.js'

export type Action = Evidence['action']
export type Layer = Evidence['layer']

export interface Facet {
  readonly action: Action
  /** Category to granted or denied; every category. */
  readonly choices: Readonly<Record<string, boolean>>
  readonly gpc: boolean | null
  readonly language: string
  readonly layer: Layer
  /** Of the policy, its label. */
  readonly version: string
}

/** Two records of which the same can be said have the same text; keys are in order, and so are choices in a record. */
export const facetOf = ({ action, choices, gpc, layer, notice, policy }: Evidence): string =>
  JSON.stringify({ action, choices, gpc, language: notice.language, layer, version: policy.version } satisfies Facet)

/** Of what `facetOf` made. */
export const parseFacet = (text: string): Facet => JSON.parse(text)

/** What an earlier release did not keep beside a record. */
export const describeEvidence = (evidence: Evidence): { facet: string; recordedAt: number } => ({
  facet: facetOf(evidence),
  recordedAt: Date.parse(evidence.recordedAt),
})
