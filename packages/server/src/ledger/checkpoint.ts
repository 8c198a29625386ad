/** Checkpoints (c2sp.org/tlog-checkpoint): the three lines that state a head, and opening a signed one. */
import { HASH_SIZE } from '../merkle/hash.js'
import { VerificationError } from '../merkle/verification-error.js'
import { decodeBase64, encodeBase64 } from './base64.js'
import { openNote, parseVkey } from './note.js'

export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${encodeBase64(root)}\n`
}

/** Exactly three lines: nobody has given a fourth a meaning, so a text that has one is not ours. */
export function parseCheckpoint(text: string): Checkpoint {
  const [, origin, digits, encoded] = /^([^\n]+)\n(0|[1-9]\d{0,15})\n([^\n]{44})\n$/.exec(text) ?? []
  if (origin === undefined || digits === undefined || encoded === undefined) {
    throw new VerificationError('checkpoint is not origin, size and root')
  }
  const size = Number(digits)
  if (!Number.isSafeInteger(size)) throw new VerificationError('checkpoint has an impossible size')
  let root: Uint8Array
  try {
    root = decodeBase64(encoded)
  } catch {
    // Whatever is wrong with the encoding: it states no root.
    throw new VerificationError('checkpoint has a root that is not base64')
  }
  if (root.length !== HASH_SIZE) throw new VerificationError(`checkpoint has a root that is not ${HASH_SIZE} bytes`)
  return { origin, size, root }
}

/** The head that the holder of this key signed. A log signs under its own name, so the origin must be the key's. */
export function openCheckpoint(note: string, vkey: string): Checkpoint {
  const verifier = parseVkey(vkey)
  const checkpoint = parseCheckpoint(openNote(note, [verifier]).text)
  if (checkpoint.origin !== verifier.name) {
    throw new VerificationError(`checkpoint is from ${checkpoint.origin}, not ${verifier.name}`)
  }
  return checkpoint
}
