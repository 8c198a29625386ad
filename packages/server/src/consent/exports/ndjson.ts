/** Records as newline-delimited JSON: as the audit API answers them, with the page beside, one a line. */
import { toRecord } from '../record.js'
import type { Exported } from './formats.js'

export const rowOf = ({ log, index, evidence, identity }: Exported) => ({
  ...toRecord(log, index, evidence, identity),
  page: identity.page,
})

export const ndjsonLine = (record: Exported): string => `${JSON.stringify(rowOf(record))}\n`
