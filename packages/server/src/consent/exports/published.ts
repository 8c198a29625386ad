/** What the standards ask for besides a record, out of the policy that it cites. */
import type { Policy } from '../policy.js'

export interface Published {
  /** The policy that the record cites. */
  readonly policy: Policy
  /** Where browsers reach the public surface: what addresses in a policy are relative to. */
  readonly publicUrl: string
}

export type Category = Policy['categories'][number]

/** The policy need not say what data it is; the standards want something said. */
export const namesOf = ({ personalData }: Category): readonly string[] =>
  personalData.length === 0 ? ['not stated in the policy'] : personalData

export const titleOf = ({ id, texts }: Category, language: string): string => texts[language]?.title ?? id

/** An address as the policy writes it, in full; as it stands where it is none. */
export const addressOf = (written: string, { publicUrl }: Published): string =>
  URL.canParse(written, publicUrl) ? new URL(written, publicUrl).href : written
