/**
 * What of a request can be nobody, so that it stands in clear in the access log: an enumeration, a number, a time, or a word that
 * the site itself has published. Under each name somebody may send what they like. Pure.
 */
import { FORMATS } from '../consent/exports/formats.js'
import type { PolicyBook } from '../consent/policy.js'
import { ACTIONS, GPC, LAYERS } from '../consent/record-filter.js'
import { DIMENSIONS, INTERVALS } from '../consent/statistics.js'

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?Z)?$/
const oneOf = (words: readonly string[]) => new RegExp(`^(${words.join('|')})$`)

const ENUMERATED: ReadonlyMap<string, RegExp> = new Map([
  ['action', oneOf(ACTIONS)],
  ['layer', oneOf(LAYERS)],
  ['gpc', oneOf(Object.keys(GPC))],
  ['order', oneOf(['newest', 'oldest'])],
  ['format', oneOf(['json', 'html', ...Object.keys(FORMATS)])],
  ['interval', oneOf(INTERVALS)],
  ['by', oneOf(DIMENSIONS.flatMap((one) => [one, ...DIMENSIONS.map((other) => `${one},${other}`)]))],
  ['limit', /^\d{1,5}$/],
  ['from', TIME],
  ['to', TIME],
  ['asOf', TIME],
  ['path', /^(\d{1,2}|entries)(\/x?\d{3})+(\.p\/\d{1,3})?$/],
  // Of an API key it is public; a record's is longer.
  ['id', /^key_[\w-]{12}$/],
])

/** What a site has published. */
export interface Published {
  readonly book: Pick<PolicyBook, 'hasVersion' | 'hasLanguage' | 'hasCategory'>
  /** Whether a site, or a log of this one, has this name. */
  hasName(name: string): boolean
}

export function isClear(name: string, value: string, { book, hasName }: Published): boolean {
  switch (name) {
    case 'version':
      return book.hasVersion(value)
    case 'language':
      return book.hasLanguage(value)
    case 'granted':
    case 'denied':
      return book.hasCategory(value)
    case 'site':
    case 'log':
      return hasName(value)
    default:
      return ENUMERATED.get(name)?.test(value) ?? false
  }
}
