/** Records as newline-delimited JSON, with both parts opened: the fields of the audit API, one record a line. */
import type { Exported } from './formats.js'

/** The fields in the order they are written. Of a record that was unlinked, all that was of its identity is null. */
export const rowOf = ({ log, index, evidence, identity }: Exported) => ({
  log,
  index,
  id: identity?.id ?? null,
  subject: identity?.subject ?? null,
  account: identity?.account ?? null,
  previous: identity?.previous ?? null,
  recordedAt: evidence.recordedAt,
  decidedAt: evidence.decidedAt,
  clock: evidence.clock,
  action: evidence.action,
  choices: evidence.choices,
  layer: evidence.layer,
  offered: evidence.offered,
  policy: evidence.policy,
  notice: evidence.notice,
  language: evidence.notice.language,
  ui: evidence.ui,
  gpc: evidence.gpc,
  sdk: evidence.sdk,
  agent: identity?.agent ?? null,
  page: identity?.page ?? null,
  validUntil: evidence.validUntil,
})

export const ndjsonLine = (record: Exported): string => `${JSON.stringify(rowOf(record))}\n`
