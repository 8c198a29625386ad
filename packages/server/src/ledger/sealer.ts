/** From a composed entry to what the stores keep of it, and back: commitments, ciphertexts, wrapped secrets. */
import type { DocumentRow, EntryRow, Forgetting, Grade, VaultRow } from '../storage/storage.js'
import type { Keyring } from '../vault/keyring.js'
import { commit, commitText, SECRET_SIZE } from './commitment.js'
import { encodeConsent, encodeEntry, jcs } from './entry.js'
import { openSeal, randomSecret, seal, sealText } from './seal.js'

export type Composed =
  | {
      readonly kind: 'consent'
      readonly subject: Uint8Array
      /** Null where nobody was signed in. */
      readonly account: Uint8Array | null
      /** What may be asked about it without opening it; see `NewVaultRow`. */
      readonly facet: string
      readonly evidence: object
      readonly identity: object
    }
  | { readonly kind: 'document'; readonly document: Omit<DocumentRow, 'index' | 'recordedAt'> }
  | { readonly kind: 'tombstone'; readonly body: Tombstone }
  /** A step worth proving that is no consent. `subject`: what it is found by; null for what nobody looks for. */
  | { readonly kind: 'event'; readonly subject: Uint8Array | null; readonly body: object }
  | { readonly kind: 'epoch'; readonly origin: string; readonly root: string; readonly size: number }

/** What a tombstone says, sealed. */
export interface Tombstone {
  /** ISO 8601 UTC. */
  readonly at: string
  readonly grade: Grade
  /** Of the record that was erased. */
  readonly index: number
  readonly ground: string
  /** Origin of the log that the record is in, where that is another one: an earlier epoch. */
  readonly log?: string
}

/** A consent record with what opens it; a part that was erased is null, and so is its secret. */
export interface OpenedConsent {
  /** Name of the log it is in. */
  readonly log: string
  readonly index: number
  /** The JCS text that the tree commits to. */
  readonly entry: string
  readonly evidence: object | null
  readonly identity: object | null
  readonly secrets: { readonly evidence: Uint8Array | null; readonly identity: Uint8Array | null }
}

export interface OpenedTombstone {
  readonly index: number
  readonly entry: string
  readonly body: Tombstone
  readonly secret: Uint8Array
}

/** An event that was not forgotten. */
export interface OpenedEvent {
  readonly index: number
  readonly body: object
}

export class Sealer {
  readonly #log: string
  readonly #keyring: Keyring

  /** `log` names the log in what binds a ciphertext to its place. */
  constructor(log: string, keyring: Keyring) {
    this.#log = log
    this.#keyring = keyring
  }

  /** All that needs no index yet, which is most of the work. */
  seal(composed: Composed): Sealed {
    switch (composed.kind) {
      case 'document': {
        const { kind, hash, version, language } = composed.document
        const entry =
          kind === 'policy'
            ? encodeEntry({ type: 'policy', v: 1, hash, version })
            : encodeEntry({ type: 'notice', v: 1, hash, language: language!, version })
        return { row: { entry, sealed: [] }, subject: null, account: null, secrets: [] }
      }
      case 'epoch': {
        const { origin, root, size } = composed
        return {
          row: { entry: encodeEntry({ type: 'epoch', v: 1, origin, root, size }), sealed: [] },
          subject: null,
          account: null,
          secrets: [],
        }
      }
      case 'tombstone': {
        const secret = randomSecret()
        const entry = encodeEntry({ type: 'tombstone', v: 1, body: commit('body', secret, composed.body) })
        const sealed = [seal('body', composed.body, secret, this.#associated('tombstone'))]
        return { row: { entry, sealed }, subject: null, account: null, secrets: [secret] }
      }
      case 'event': {
        const secret = randomSecret()
        const entry = encodeEntry({ type: 'event', v: 1, body: commit('body', secret, composed.body) })
        const sealed = [seal('body', composed.body, secret, this.#associated('event'))]
        return { row: { entry, sealed }, subject: composed.subject, account: null, secrets: [secret] }
      }
      case 'consent': {
        const { evidence, identity, subject, account } = composed
        const [a, b] = [randomSecret(), randomSecret()]
        const [evidenceText, identityText] = [jcs(evidence), jcs(identity)]
        const entry = encodeConsent(commitText('evidence', a, evidenceText), commitText('identity', b, identityText))
        const aad = this.#associated('consent')
        const row = {
          entry,
          sealed: [sealText('evidence', evidenceText, a, aad), sealText('identity', identityText, b, aad)],
        }
        return { row, subject, account, secrets: [a, b] }
      }
    }
  }

  /** The secrets as the vault keeps them: one wrapping for both of a consent, half the cost of two. */
  wrap({ secrets }: Sealed, index: number): Uint8Array {
    return secrets.length === 0 ? new Uint8Array(0) : this.#wrap(index, Buffer.concat(secrets))
  }

  /** A consent as it would be opened again; null for everything else. */
  opened(composed: Composed, { row, secrets: [a, b] }: Sealed, index: number): OpenedConsent | null {
    if (composed.kind !== 'consent' || !a || !b) return null
    const { evidence, identity } = composed
    return { log: this.#log, index, entry: textOf(row), evidence, identity, secrets: { evidence: a, identity: b } }
  }

  /** Null for an entry that isn't a consent, or one of which both parts are gone. */
  openConsent(index: number, row: EntryRow, wrapped: Uint8Array | null): OpenedConsent | null {
    const [evidence, identity] = row.sealed
    if (!evidence || !identity || !wrapped || wrapped.length === 0) return null
    const secrets = this.#unwrap(index, wrapped)
    const [a, b] = [
      secrets.subarray(0, SECRET_SIZE),
      secrets.length > SECRET_SIZE ? secrets.subarray(SECRET_SIZE) : null,
    ]
    const aad = this.#associated('consent')
    return {
      log: this.#log,
      index,
      entry: textOf(row),
      evidence: openSeal(evidence, a, aad),
      identity: b && openSeal(identity, b, aad),
      secrets: { evidence: a, identity: b },
    }
  }

  isTombstone(row: EntryRow): boolean {
    return row.sealed.length === 1 && textOf(row).endsWith('"type":"tombstone","v":1}')
  }

  /** Null for an entry that isn't a tombstone, or whose secret is lost with an older vault. */
  openTombstone(index: number, row: EntryRow, wrapped: Uint8Array | null): OpenedTombstone | null {
    const [body] = row.sealed
    if (!body || !this.isTombstone(row) || !wrapped || wrapped.length === 0) return null
    const secret = this.#unwrap(index, wrapped)
    return {
      index,
      entry: textOf(row),
      body: openSeal(body, secret, this.#associated('tombstone')) as Tombstone,
      secret,
    }
  }

  /** Null for an entry that isn't an event, or was forgotten. */
  openEvent(index: number, row: EntryRow, wrapped: Uint8Array | null): OpenedEvent | null {
    const [body] = row.sealed
    if (!body || !textOf(row).endsWith('"type":"event","v":1}') || !wrapped || wrapped.length === 0) return null
    return { index, body: openSeal(body, this.#unwrap(index, wrapped), this.#associated('event')) }
  }

  /** What the vault may keep of a record after an erasure: for *unlink* the evidence's secret, for *erase* nothing. */
  forgetting(index: number, grade: Grade, vault: VaultRow): Forgetting {
    if (grade === 'erase' || vault.secrets.length === 0) return { index, grade, secrets: new Uint8Array(0) }
    return { index, grade, secrets: this.#wrap(index, this.#unwrap(index, vault.secrets).subarray(0, SECRET_SIZE)) }
  }

  /** The secrets wrapped with the newest key; null if they are already. */
  rewrap(index: number, secrets: Uint8Array): Uint8Array | null {
    if (secrets.length === 0 || this.#keyring.isCurrent(secrets)) return null
    return this.#wrap(index, this.#unwrap(index, secrets))
  }

  /** Binds a ciphertext to its site and entry type (formats.md, Sealing). */
  #associated(type: 'consent' | 'tombstone' | 'event'): string {
    return `${this.#log}/${type}`
  }

  #wrap(index: number, secrets: Uint8Array): Uint8Array {
    return this.#keyring.wrap(secrets, `${this.#log}/${index}`)
  }

  #unwrap(index: number, wrapped: Uint8Array): Uint8Array {
    return this.#keyring.unwrap(wrapped, `${this.#log}/${index}`)
  }
}

export interface Sealed {
  readonly row: EntryRow
  readonly subject: Uint8Array | null
  readonly account: Uint8Array | null
  /** In the order of the sealed parts, not wrapped yet. */
  readonly secrets: readonly Uint8Array[]
}

const textOf = (row: EntryRow) => new TextDecoder().decode(row.entry)
