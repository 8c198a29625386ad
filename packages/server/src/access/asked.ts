/** What a request asked for, as the access log keeps it: what could be somebody as a keyed index, the rest in clear. Pure. */
import type { Blinder } from '../vault/blind.js'

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?Z)?$/
const NUMBER = /^\d{1,5}$/
const wordsOf = (words: string) => new RegExp(`^(${words.replaceAll(' ', '|')})$`)

/** Of these names values are kept in clear that can be nobody. Under each of them somebody may send what they like. */
const CLEAR: ReadonlyMap<string, RegExp> = new Map([
  ['action', wordsOf('accept-all reject-all save withdraw lapse link api import')],
  ['layer', wordsOf('banner preferences settings placeholder api server')],
  ['gpc', wordsOf('true false none')],
  ['order', wordsOf('newest oldest')],
  ['format', wordsOf('json html ndjson csv jsonld kantara')],
  ['interval', wordsOf('day week month')],
  ['by', /^(version|language|layer)(,(version|language|layer))?$/],
  ['limit', NUMBER],
  ['from', TIME],
  ['to', TIME],
  ['asOf', TIME],
  ['path', /^(\d{1,2}|entries)(\/x?\d{3})+(\.p\/\d{1,3})?$/],
  // Of an API key it is public; a record's is longer.
  ['id', /^key_[\w-]{12}$/],
])

/** Of these, values that the site itself has published. */
const PUBLISHED = new Set(['site', 'log', 'version', 'language', 'granted', 'denied'])

/** The other names that a route knows. */
const NAMES = new Set(['subject', 'account', 'id', 'record', 'after', 'who', 'route'])

/** More than any route has; what goes beyond is refused by the route anyway. */
const FILTERS_LIMIT = 32

/** Where the next page begins says nothing of what is asked for. */
const PASSED_OVER = new Set(['cursor'])

export interface Asked {
  /** What the address says, by name: it counts, whatever else of this name is sent. */
  readonly params: Readonly<Record<string, string>>
  readonly queries: Readonly<Record<string, readonly string[]>>
  /** From its header, where one is looked up. */
  readonly account: string | null
}

/** `isPublished`: whether the site has published this value, of a version for instance. */
export function asked(
  { params, queries, account }: Asked,
  blind: Blinder,
  isPublished: (name: string, value: string) => boolean,
): Record<string, string> {
  const told = Object.entries(queries)
    .filter(([name]) => !PASSED_OVER.has(name) && !Object.hasOwn(params, name))
    .slice(0, FILTERS_LIMIT)
    .map(([name, values]) => [name, values.join(',')] as const)
  const keep = (name: string, value: string): readonly [string, string] => {
    const isClear = PUBLISHED.has(name) ? isPublished(name, value) : (CLEAR.get(name)?.test(value) ?? false)
    if (isClear) return [name, value]
    if (name === 'subject') return [name, askedSubject(value, blind)]
    if (name === 'account') return [name, askedAccount(value, blind)]
    if (name === 'id' || name === 'record' || name === 'after') return [name, askedRecord(value, blind)]
    // A name may be made up, too, and be somebody's.
    const isName = PUBLISHED.has(name) || CLEAR.has(name) || NAMES.has(name)
    return [isName ? name : 'other', encode(blind.asked(name, value))]
  }
  return Object.fromEntries([
    ...[...told, ...Object.entries(params)].map(([name, value]) => keep(name, value)),
    ...(account === null ? [] : [['account', askedAccount(account, blind)] as const]),
  ])
}

/** As a subject is looked for in the access log. */
export const askedSubject = (subject: string, blind: Blinder): string => encode(blind.subject(subject))
/** The same of an account. */
export const askedAccount = (account: string, blind: Blinder): string => encode(blind.account(account))
/** The same of a record's id, by whatever name it was asked for. */
export const askedRecord = (id: string, blind: Blinder): string => encode(blind.asked('record', id))

const encode = (index: Uint8Array) => Buffer.from(index).toString('base64url')
