/** A log as the files it is served as, for the tests: made of the same pieces as a real one, to be spoilt in one place. */
import { encodeBase64url } from '../ledger/base64.js'
import { type Checkpoint, formatCheckpoint } from '../ledger/checkpoint.js'
import { encodeEntry } from '../ledger/entry.js'
import { createSigner, type Signer } from '../ledger/signer.js'
import { sha256 } from '../merkle/hash.js'
import { entryBundle, TILE_WIDTH, TileEdge, tilePath } from '../merkle/tile.js'
import { leafHash } from '../merkle/tree.js'
import type { ReadFile } from './log.js'

export const logSigner = createSigner('dash.example/log/shop', new Uint8Array(32).fill(6))

const commitmentOf = (text: string) => encodeBase64url(sha256(new TextEncoder().encode(text)))

export const testEntry = (index: number, salt = ''): Uint8Array =>
  encodeEntry({
    type: 'consent',
    v: 1,
    evidence: commitmentOf(`${salt}evidence ${index}`),
    identity: commitmentOf(`${salt}identity ${index}`),
  })

export const testEntries = (size: number, salt = ''): Uint8Array[] =>
  Array.from({ length: size }, (_, index) => testEntry(index, salt))

export interface TestLog {
  readonly files: Map<string, Uint8Array>
  readonly read: ReadFile
  readonly checkpoint: Checkpoint
  readonly note: string
}

/** All files of a log with these entries, its partial tiles those of its size alone. */
export function testLog(entries: readonly Uint8Array[], signer: Signer = logSigner): TestLog {
  const files = new Map<string, Uint8Array>()
  const { root, writes } = TileEdge.restore(0, () => null).append(entries.map(leafHash))
  for (const { level, n, hashes } of writes) files.set(tilePath(level, n, hashes.length / 32), new Uint8Array(hashes))
  for (let start = 0; start < entries.length; start += TILE_WIDTH) {
    const bundled = entries.slice(start, start + TILE_WIDTH)
    files.set(tilePath('entries', start / TILE_WIDTH, bundled.length), entryBundle(bundled))
  }
  const checkpoint = { origin: signer.name, size: entries.length, root }
  const note = signer.sign(formatCheckpoint(checkpoint))
  files.set('checkpoint', new TextEncoder().encode(note))
  return { files, read: readerOf(files), checkpoint, note }
}

export const readerOf =
  (files: ReadonlyMap<string, Uint8Array>): ReadFile =>
  async (file) =>
    files.get(file) ?? null
