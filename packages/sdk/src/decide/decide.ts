/** From a click to a submission that is kept. Only here a grant asks for the event of a person's own click. */
import type { Consent } from '../loader/consent.js'
import { countGrants, type Decision } from '../loader/cookie.js'
import type { Draft } from '../loader/start.js'
import type { Action, Choices, Layer, NoticeRef, PolicyRef, SiteConfig } from '../wire.js'
import type { Kept, Pending } from './pending.js'

/** What somebody chose, where, and what was on offer. */
export interface Choosing {
  readonly action: Action
  /** Read for `save` only. */
  readonly switches: Choices
  readonly layer: Layer
  readonly offered: readonly Action[]
  /** The notice that was on screen, with the policy that it is of; null when none was. */
  readonly notice: (NoticeRef & { readonly policy?: PolicyRef }) | null
}

/** What deciding may touch. */
export interface Desk {
  readonly consent: Consent
  /** Null where there is no server: then nothing is to be sent. */
  readonly pending: Pending | null
  random(size: number): Uint8Array
  /** Global Privacy Control as the browser says it; null where it says nothing. */
  readonly gpc: boolean | null
  /** Origin and path of the page, which is told where the site asks for it. */
  readonly page: string
  /** The newest submission made on this page. */
  last?: Kept
}

const sdkVersion = '0.1.0'

export function encodeBytes(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes))
  return text.replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')
}

/** RFC 9562 §5.7: 48 bits of time, then random, so ids sort by when they were made. */
export function createId(now: number, random: Iterable<number>): string {
  const time = now.toString(16).padStart(12, '0')
  const hex = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-8${hex.slice(3, 6)}-${hex.slice(6, 18)}`
}

/** What a record says of the words that were on screen. */
export const cite = ({ hash, language }: NoticeRef): NoticeRef => ({ hash, language })

function toKept(
  { consent, gpc, page }: Desk,
  { action, layer, offered, notice }: Omit<Choosing, 'switches'>,
  decision: Decision,
  value: string | null,
  fresh: string,
  idBytes: Iterable<number>,
): Kept {
  const { site, policy, ui, page: tellsPage } = consent.site
  return {
    id: createId(decision.decidedAt, idBytes),
    site,
    secret: decision.secret || fresh,
    action,
    choices: decision.choices,
    // That of the words on screen, which may be newer, or older by minutes, than the loader's.
    policy: notice?.policy ?? policy,
    notice: notice && cite(notice),
    // Without a server it has no name, and nothing is sent.
    ui: ui?.split('.')[1] as string,
    layer,
    offered,
    decidedAt: new Date(decision.decidedAt).toISOString(),
    gpc,
    previous: null,
    sdk: sdkVersion,
    ...(tellsPage && { page }),
    decision: value,
  }
}

const toChoices = ({ categories }: SiteConfig, isGranted: (name: string) => boolean): Choices =>
  Object.fromEntries(categories.map((name) => [name, isGranted(name)]))

/**
 * Takes a choice without asking whose word it is, and keeps it for sending. `more`: what is otherwise in the decision; a
 * `secret` in it begins a new subject.
 */
export function take(desk: Desk, choosing: Choosing, choices: Choices, more?: Partial<Decision>): void {
  const { consent, pending, random } = desk
  const fresh = encodeBytes(random(16))
  // A first refusal is filed under a secret that is thrown away: the browser keeps nothing that says who refused.
  const kept = countGrants({ choices }) || consent.site.refusalId ? fresh : ''
  consent.decide(
    choices,
    kept,
    (decision, value) => {
      if (!pending) return
      const made = toKept(desk, choosing, decision, value, fresh, random(10))
      const before = desk.last ?? pending.list().pop()
      // Of the same subject only: a refusal that nobody can be known by must not be tied to the grant that follows it.
      desk.last = before?.secret === made.secret ? { ...made, previous: before.id } : made
      pending.add(desk.last)
    },
    more,
  )
}

/** True when the choice was taken. A new grant needs the event of a click by a person; a refusal needs nothing. */
export function decide(desk: Desk, choosing: Choosing, event: unknown): boolean {
  const { consent } = desk
  const { action, switches } = choosing
  const choices = toChoices(
    consent.site,
    (name) => action === 'accept-all' || (action === 'save' && switches[name] === true),
  )
  const granted = consent.granted()
  if (
    Object.keys(choices).some((name) => choices[name] && !granted.includes(name)) &&
    // A trusted event of another kind is not the person's: an image loads by itself. A key on a button is a click, too.
    !(event instanceof Event && event.isTrusted && event.type === 'click')
  ) {
    console.error('avow: a grant needs the event of a click by a person')
    return false
  }
  take(desk, choosing, choices)
  return true
}

/**
 * Makes the submission of a withdrawal that the loader took alone. Whichever tab does it makes the same one, so it names
 * no previous one: what is pending differs from tab to tab by the moment.
 */
export function adopt(desk: Desk, draft: string): void {
  const { decision, made, bytes } = JSON.parse(draft) as Draft
  const choosing = { action: 'withdraw', layer: 'settings', offered: ['withdraw'], notice: null } as const
  desk.last = toKept(desk, choosing, made, decision, encodeBytes(desk.random(16)), Object.values(bytes))
  desk.pending?.add(desk.last)
}
