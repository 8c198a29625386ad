/** What the tests check an answer's proofs with: the public key alone. */
import { expect } from 'vitest'
import { decodeBase64 } from '../../ledger/base64.js'
import { openCheckpoint } from '../../ledger/checkpoint.js'
import { verifyInclusion } from '../../merkle/proof.js'
import { leafHash } from '../../merkle/tree.js'
import type { Place } from './ground.js'

/** Throws unless the log of this key has the entry where it is said to be; answers what the entry says. */
export function verifyPlace({ index, entry, proof, size, checkpoint }: Place, vkey: string) {
  const signed = openCheckpoint(checkpoint, vkey)
  expect(signed.size).toBe(size)
  verifyInclusion(leafHash(new TextEncoder().encode(entry)), index, size, signed.root, proof.map(decodeBase64))
  return JSON.parse(entry)
}
