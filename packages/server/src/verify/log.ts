/**
 * Verifies a whole log, by the files it is served as (c2sp.org/tlog-tiles): every entry, every tile of every level, the
 * checkpoint; and that one checkpoint grew from another. In constant memory; where the files come from is handed in.
 */
import type { Checkpoint } from '../ledger/checkpoint.js'
import { HASH_SIZE } from '../merkle/hash.js'
import { consistencyNodes, consistencyProof, verifyConsistency } from '../merkle/proof.js'
import {
  nodeReader,
  parseEntryBundle,
  partialWidth,
  TILE_WIDTH,
  TileEdge,
  tileCount,
  tilePath,
} from '../merkle/tile.js'
import { foldTile, leafHash, type NodeId } from '../merkle/tree.js'
import { VerificationError } from '../merkle/verification-error.js'
import { requireEntry } from './log-entry.js'
import { openWitnessed, type WitnessPolicy } from './policy.js'

const TILE_HEIGHT = 8
const TILE_SIZE = TILE_WIDTH * HASH_SIZE

/** Files asked for ahead of the one being checked: enough to hide the way to a server, 16 MiB at the very worst each. */
const AHEAD = 8

/** Reads a file of the log by its path, `checkpoint` or `tile/0/000.p/3`. Null where there is none; rejects if that can't be known. */
export type ReadFile = (path: string) => Promise<Uint8Array | null>

/** Told the entries checked so far, of how many. */
export type Progress = (done: number, of: number) => void

/** There is no checkpoint, so nothing was claimed that could be false: a wrong address, more likely than a wrong log. */
export class NoLogError extends Error {
  override name = 'NoLogError'
}

export interface LogTrust {
  readonly vkey: string
  /** Whose cosignatures the checkpoint needs; null for nobody's. */
  readonly policy: WitnessPolicy | null
}

/** The log's newest checkpoint as it is served. Throws unless it is there, signed, and cosigned as asked. */
export async function readCheckpoint(
  read: ReadFile,
  { vkey, policy }: LogTrust,
): Promise<Checkpoint & { readonly note: string }> {
  const bytes = await read('checkpoint')
  if (!bytes) throw new NoLogError('there is no checkpoint, so no log to check')
  const note = textOf(bytes)
  return { ...openWitnessed(note, vkey, policy), note }
}

/** Checks that every file of the log is there and agrees with every other. Throws with the first thing that is false. */
export async function verifyLog(read: ReadFile, trust: LogTrust, progress: Progress = () => {}): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(read, trust)
  const { size, root } = checkpoint
  const levels: Level[] = []
  const count = tileCount(0, size)
  const bundles = readAhead(count, async (n) => {
    const width = widthOf(0, n, size)
    return Promise.all([readEntries(read, n, width), readTile(read, 0, n, width)] as const)
  })
  let n = 0
  for await (const [entries, tile] of bundles) {
    const start = n * TILE_WIDTH
    const hashes = new Uint8Array(entries.length * HASH_SIZE)
    for (const [at, entry] of entries.entries()) {
      requireEntry(entry, start + at)
      hashes.set(leafHash(entry), at * HASH_SIZE)
    }
    requireSame(tile, hashes, tilePath(0, n, entries.length))
    levels[0] = { n, width: entries.length, hashes }
    if (entries.length === TILE_WIDTH) await grow(levels, 1, foldTile(hashes), read)
    progress(start + entries.length, size)
    n++
  }
  if (count === 0) progress(0, 0)
  // The partial tiles above: what is full was compared when it became so.
  for (let level = 1; TILE_WIDTH ** level <= size; level++) {
    const width = partialWidth(level, size)
    if (width === 0) continue
    const { n, hashes } = levels[level]!
    requireSame(await readTile(read, level, n, width), hashes.subarray(0, width * HASH_SIZE), tilePath(level, n, width))
  }
  const edge = TileEdge.restore(size, (level) => levels[level]?.hashes ?? null)
  if (!isEqual(edge.append([]).root, root)) {
    throw new VerificationError(`the entries are not those that the checkpoint of ${size} entries signs`)
  }
  return checkpoint
}

/** Checks, by the tiles of the later one, that an earlier checkpoint is a prefix of it. The tiles need no trust. */
export async function verifyGrowth(read: ReadFile, from: Checkpoint, to: Checkpoint): Promise<void> {
  if (from.origin !== to.origin) throw new VerificationError(`checkpoints of two logs: ${from.origin}, ${to.origin}`)
  const proof = from.size >= to.size ? [] : await consistencyFrom(read, from.size, to.size)
  verifyConsistency(from.size, to.size, from.root, to.root, proof)
}

async function consistencyFrom(read: ReadFile, from: number, to: number): Promise<Uint8Array[]> {
  const tiles = new Map<string, Uint8Array>()
  for (const { level, n } of consistencyNodes(from, to).flat().map(tileOf)) {
    const key = `${level}/${n}`
    if (!tiles.has(key)) tiles.set(key, await readTile(read, level, n, widthOf(level, n, to)))
  }
  return consistencyProof(
    from,
    to,
    nodeReader((level, n) => tiles.get(`${level}/${n}`)!),
  )
}

/** The tile that a node is in, or is folded from. */
function tileOf({ level, index }: NodeId): { level: number; n: number } {
  const spread = 2 ** (level % TILE_HEIGHT)
  return { level: Math.floor(level / TILE_HEIGHT), n: Math.floor((index * spread) / TILE_WIDTH) }
}

/** The right-most tile of a level so far: its first `width` hashes. */
interface Level {
  n: number
  width: number
  readonly hashes: Uint8Array
}

/** Takes the hash of a full tile up into the level above, and compares the tile there once that is full. */
async function grow(levels: Level[], level: number, hash: Uint8Array, read: ReadFile): Promise<void> {
  levels[level] ??= { n: 0, width: 0, hashes: new Uint8Array(TILE_SIZE) }
  const tile = levels[level]
  if (tile.width === TILE_WIDTH) {
    tile.n++
    tile.width = 0
  }
  tile.hashes.set(hash, tile.width * HASH_SIZE)
  tile.width++
  if (tile.width < TILE_WIDTH) return
  requireSame(await readTile(read, level, tile.n, TILE_WIDTH), tile.hashes, tilePath(level, tile.n, TILE_WIDTH))
  await grow(levels, level + 1, foldTile(tile.hashes), read)
}

function widthOf(level: number, n: number, size: number): number {
  return n < tileCount(level, size) - 1 ? TILE_WIDTH : partialWidth(level, size) || TILE_WIDTH
}

async function readTile(read: ReadFile, level: number, n: number, width: number): Promise<Uint8Array> {
  const { path, bytes, isWider } = await readWide(read, level, n, width)
  const size = width * HASH_SIZE
  if (isWider ? bytes.length < size : bytes.length !== size) {
    throw new VerificationError(`${path} is ${bytes.length} bytes, not ${(isWider ? TILE_WIDTH : width) * HASH_SIZE}`)
  }
  return bytes.subarray(0, size)
}

async function readEntries(read: ReadFile, n: number, width: number): Promise<Uint8Array[]> {
  const { path, bytes, isWider } = await readWide(read, 'entries', n, width)
  let entries: Uint8Array[]
  try {
    entries = parseEntryBundle(bytes)
  } catch (error) {
    // Thrown on, with the place.
    throw new VerificationError(`${path}: ${(error as Error).message}`)
  }
  if (isWider ? entries.length < width : entries.length !== width) {
    throw new VerificationError(`${path} has ${entries.length} entries, not ${isWider ? TILE_WIDTH : width}`)
  }
  return entries.slice(0, width)
}

/** A log that went on may have put the full tile in a partial one's place: what lies past the size is not looked at. */
async function readWide(read: ReadFile, level: number | 'entries', n: number, width: number) {
  const path = tilePath(level, n, width)
  const bytes = await read(path)
  if (bytes) return { path, bytes, isWider: false }
  const full = tilePath(level, n, TILE_WIDTH)
  const wider = width < TILE_WIDTH ? await read(full) : null
  if (!wider) throw new VerificationError(`${path} is missing`)
  return { path: full, bytes: wider, isWider: true }
}

function requireSame(found: Uint8Array, computed: Uint8Array, path: string): void {
  for (let at = 0; at < computed.length; at++) {
    if (found[at] === computed[at]) continue
    throw new VerificationError(`${path}: hash ${Math.floor(at / HASH_SIZE)} is not that of what is below it`)
  }
}

/** What `load` answers for 0, 1, 2 and so on, in order, several of them under way. */
async function* readAhead<T>(count: number, load: (n: number) => Promise<T>): AsyncGenerator<T> {
  const underWay: Promise<T>[] = []
  for (let n = 0, next = 0; n < count; n++) {
    for (; next < count && next < n + AHEAD; next++) {
      const loading = load(next)
      // It is awaited in its turn, unless an earlier one was false: then nobody asks any more.
      loading.catch(() => {})
      underWay.push(loading)
    }
    yield await underWay.shift()!
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // No note has such bytes, so nobody signed it.
    throw new VerificationError('checkpoint is not UTF-8 text')
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
