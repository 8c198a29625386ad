/**
 * Records as comma-separated values (RFC 4180). A program that calculates takes what begins with `=`, `+`, `-` or `@` for
 * a formula, and what it is told by a stranger must not be one: there an apostrophe comes in front.
 */
import type { Exported } from './formats.js'
import { rowOf } from './ndjson.js'

/** Lists in one column have spaces between them: no category, action or layer has one. */
const COLUMNS = [
  ...['log', 'index', 'id', 'subject', 'account', 'previous', 'recordedAt', 'decidedAt', 'clock', 'action'],
  ...['granted', 'denied', 'layer', 'offered', 'policyVersion', 'policyHash', 'noticeHash', 'language', 'ui', 'gpc'],
  ...['sdk', 'agent', 'page', 'validUntil'],
] as const

export const CSV_HEAD = `${COLUMNS.join(',')}\r\n`

/**
 * Where a formula may begin: with the value, and behind a semicolon, a tab or a line break in it. Where one of these separates, a
 * quote that stands behind it quotes the cell, and a tab in front of a formula hides nothing. Apostrophes in front count too, so
 * that taking one away again always gives what was there.
 */
const FORMULA = /^(?='*[=+\-@\t\r\n])|(?<=[;\t\r\n])(?=['"]*[=+\-@\t])/g

export function csvLine(record: Exported): string {
  const { choices, policy, notice, offered, ...row } = rowOf(record)
  const chosen = (granted: boolean) =>
    Object.keys(choices)
      .filter((category) => choices[category] === granted)
      .join(' ')
  const values: Record<(typeof COLUMNS)[number], string | number | boolean | null> = {
    ...row,
    granted: chosen(true),
    denied: chosen(false),
    offered: offered.join(' '),
    policyVersion: policy.version,
    policyHash: policy.hash,
    noticeHash: notice.hash,
  }
  return `${COLUMNS.map((column) => field(values[column])).join(',')}\r\n`
}

/** What isn't known is empty. */
function field(value: string | number | boolean | null): string {
  if (value === null) return ''
  if (typeof value !== 'string') return String(value)
  const text = value.replace(FORMULA, "'")
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
