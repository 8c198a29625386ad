/**
 * Key-encryption keys: what wraps every secret of the vault, kept apart from it. A copy of the vault without its key tells
 * nothing; rotating the key and destroying the old one makes every older copy worthless.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, randomFillSync } from 'node:crypto'

export const KEY_SIZE = 32
const ID_SIZE = 4
const NONCE_SIZE = 12
const TAG_SIZE = 16

/** What a wrapped value starts with, so that it can be told which key opens it. */
const OVERHEAD = ID_SIZE + NONCE_SIZE + TAG_SIZE

/** The vault was wrapped with a key that isn't here. */
export class KeyringError extends Error {
  override name = 'KeyringError'
}

/** A wrapped value is not what was wrapped, whichever key is given: asking again won't help. */
export class DamagedError extends Error {
  override name = 'DamagedError'

  constructor(place: string, how: string) {
    super(`${place}: the wrapped value ${how}; restore the vault from a backup`)
  }
}

export interface Keyring {
  /** First 4 bytes of a hash of the newest key, in hex; safe to log. */
  readonly currentId: string
  /** Of all keys, the newest first. */
  readonly ids: readonly string[]
  /** `place` binds the wrapped value to where it is kept: moved elsewhere it doesn't open. */
  wrap(plain: Uint8Array, place: string): Uint8Array
  /** Throws `KeyringError` for a value that was wrapped with none of the keys, `DamagedError` for one that was changed since. */
  unwrap(wrapped: Uint8Array, place: string): Uint8Array
  /** Whether the value was wrapped with the newest key. */
  isCurrent(wrapped: Uint8Array): boolean
}

const idOf = (key: Uint8Array) => createHash('sha256').update('avow/kek/v1').update(key).digest().subarray(0, ID_SIZE)

/** `keys`: 32 bytes each, the newest first; the others only unwrap. */
export function createKeyring(keys: readonly Uint8Array[]): Keyring {
  const [newest] = keys
  if (!newest) throw new KeyringError('there is no key-encryption key')
  const byId = new Map(keys.map((key) => [idOf(key).toString('hex'), key]))
  const currentId = idOf(newest)
  return {
    currentId: currentId.toString('hex'),
    ids: [...byId.keys()],
    wrap(plain, place) {
      const wrapped = Buffer.allocUnsafe(plain.length + OVERHEAD)
      currentId.copy(wrapped)
      const nonce = randomFrom(NONCE_SIZE)
      wrapped.set(nonce, ID_SIZE)
      const cipher = createCipheriv('aes-256-gcm', newest, nonce).setAAD(Buffer.from(place))
      // GCM is a stream: everything comes out of `update`.
      cipher.update(plain).copy(wrapped, ID_SIZE + NONCE_SIZE)
      cipher.final()
      cipher.getAuthTag().copy(wrapped, wrapped.length - TAG_SIZE)
      return wrapped
    },
    unwrap(wrapped, place) {
      if (wrapped.length < OVERHEAD) throw new DamagedError(place, 'is cut short')
      const id = Buffer.from(wrapped.subarray(0, ID_SIZE)).toString('hex')
      const key = byId.get(id)
      if (!key)
        throw new KeyringError(
          `${place} was wrapped with key ${id}, which is not among the keys given (${[...byId.keys()].join(', ')}): restore that key to AVOW_KEK_FILE, or take the key file that the last rotation wrote; a vault from before a rotation can't be opened any more`,
        )
      const nonce = wrapped.subarray(ID_SIZE, ID_SIZE + NONCE_SIZE)
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_SIZE }).setAAD(
          Buffer.from(place),
        )
        decipher.setAuthTag(wrapped.subarray(wrapped.length - TAG_SIZE))
        // It is nobody's before `final` has compared the tag.
        const plain = decipher.update(wrapped.subarray(ID_SIZE + NONCE_SIZE, -TAG_SIZE))
        decipher.final()
        return plain
      } catch {
        // Changed, or moved here from elsewhere; it can't be told which, and nothing was opened.
        throw new DamagedError(place, 'was changed or is not from this place')
      }
    },
    isCurrent: (wrapped) => currentId.equals(wrapped.subarray(0, ID_SIZE)),
  }
}

/** 32 random bytes. */
export const generateKey = (): Uint8Array => new Uint8Array(randomBytes(KEY_SIZE))

/** One key a line (or separated by commas), base64, the newest first. Throws `KeyringError` naming `source`. */
export function parseKeys(text: string, source: string): Uint8Array[] {
  const keys = text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((line) => {
      const key = /^[A-Za-z0-9+/]{43}=$/.test(line) ? Buffer.from(line, 'base64') : null
      if (key?.length !== KEY_SIZE) throw new KeyringError(`${source}: expected keys of 32 bytes in base64, one a line`)
      return new Uint8Array(key)
    })
  if (keys.length === 0)
    throw new KeyringError(
      `${source} holds no key: restore it from where keys are kept, or make one with avow kek create`,
    )
  return keys
}

export const formatKeys = (keys: readonly Uint8Array[]): string =>
  keys.map((key) => `${Buffer.from(key).toString('base64')}\n`).join('')

// Asking the system for twelve bytes costs far more than the bytes: it is asked for many at once.
const pool = Buffer.alloc(NONCE_SIZE * 1024)
let used = pool.length

function randomFrom(size: number): Buffer {
  if (used + size > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += size
  return Buffer.from(pool.subarray(used - size, used))
}
