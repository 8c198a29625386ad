/** An entry as a row of either database. */
import type { EntryRow } from './storage.js'

export interface EntryColumns {
  entry: Buffer
  sealed_a: Buffer | null
  sealed_b: Buffer | null
}

export const toEntry = ({ entry, sealed_a, sealed_b }: EntryColumns): EntryRow => ({
  entry,
  sealed: [sealed_a, sealed_b].filter((sealed) => sealed !== null),
})
