/** What a request asked for, as the access log keeps it: what could be somebody as a keyed index, the rest in clear. Pure. */
import type { Blinder } from '../vault/blind.js'

/** The names that a route knows. Another one may be made up, and be somebody's. */
const NAMES = new Set(
  'site path log limit order format from to asOf action granted denied language layer gpc interval by version subject account id record after who route'.split(
    ' ',
  ),
)

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

/** `isClear`: whether this value of this name can be nobody. */
export function asked(
  { params, queries, account }: Asked,
  blind: Blinder,
  isClear: (name: string, value: string) => boolean,
): Record<string, string> {
  const told = Object.entries(queries)
    .filter(([name]) => !PASSED_OVER.has(name) && !Object.hasOwn(params, name))
    .slice(0, FILTERS_LIMIT)
    .map(([name, values]) => [name, values.join(',')] as const)
  const keep = (name: string, value: string): readonly [string, string] => {
    if (isClear(name, value)) return [name, value]
    if (name === 'subject') return [name, askedSubject(value, blind)]
    if (name === 'account') return [name, askedAccount(value, blind)]
    if (name === 'id' || name === 'record' || name === 'after') return [name, askedRecord(value, blind)]
    return [NAMES.has(name) ? name : 'other', encode(blind.asked(name, value))]
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
