/** From a click to a submission that is kept. Only here a grant asks for the event of a person's own click. */
import type { Consent } from '../loader/consent.js'
import type { Decision } from '../loader/cookie.js'
import type { Draft } from '../loader/start.js'
import type { Action, Choices, Layer, NoticeRef } from '../wire.js'
import type { Kept, Pending } from './pending.js'

/** What somebody chose, where, and what was on offer. */
export interface Choosing {
  readonly action: Action
  /** Read for `save` only. */
  readonly switches: Choices
  readonly layer: Layer
  readonly offered: readonly Action[]
  /** The notice that was on screen; null when none was. */
  readonly notice: NoticeRef | null
}

/** What deciding may touch. */
export interface Desk {
  readonly consent: Consent
  readonly pending: Pending
  random(size: number): Uint8Array
  /** Global Privacy Control as the browser says it; null where it says nothing. */
  readonly gpc: boolean | null
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
  { consent, gpc }: Desk,
  { action, layer, offered, notice }: Omit<Choosing, 'switches'>,
  { choices, decidedAt, secret }: Decision,
  fresh: string,
  idBytes: Iterable<number>,
): Kept {
  const { site, policy, ui } = consent.site
  return {
    id: createId(decidedAt, idBytes),
    site,
    secret: secret || fresh,
    action,
    choices,
    policy,
    notice: notice && cite(notice),
    ui: ui.split('.')[1]!,
    layer,
    offered,
    decidedAt: new Date(decidedAt).toISOString(),
    gpc,
    previous: null,
    sdk: sdkVersion,
  }
}

/** True when the choice was taken. A new grant needs the event of a click by a person; a refusal needs nothing. */
export function decide(desk: Desk, choosing: Choosing, event: unknown): boolean {
  const { consent, pending, random } = desk
  const { action, switches } = choosing
  const grant = (name: string) => action === 'accept-all' || (action === 'save' && switches[name] === true)
  const granting = consent.site.categories.filter(grant)
  const granted = consent.granted()
  if (granting.some((name) => !granted.includes(name)) && !(event instanceof Event && event.isTrusted)) {
    console.error('avow: a grant needs the event of a click by a person')
    return false
  }
  const fresh = encodeBytes(random(16))
  // A first refusal is filed under a secret that is thrown away: the browser keeps nothing that says who refused.
  consent.decide(grant, granting[0] ? fresh : '', (decision) =>
    pending.add(toKept(desk, choosing, decision, fresh, random(10))),
  )
  return true
}

/** Makes the submission of a withdrawal that the loader took alone. Whichever tab does it makes the same one. */
export function adopt(desk: Desk, draft: string): void {
  const { decision, bytes } = JSON.parse(draft) as Draft
  const choosing = { action: 'withdraw', layer: 'settings', offered: ['withdraw'], notice: null } as const
  desk.pending.add(toKept(desk, choosing, decision, encodeBytes(desk.random(16)), Object.values(bytes)))
}
