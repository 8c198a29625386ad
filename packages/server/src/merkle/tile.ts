/** The tree as tiles of 256 hashes (c2sp.org/tlog-tiles, height 8): their paths, reading nodes from them, and growing them. */
import { HASH_SIZE } from './hash.js'
import { coveringNodes, EMPTY_ROOT, nodeHash, type ReadNode } from './tree.js'
import { VerificationError } from './verification-error.js'

export const TILE_WIDTH = 256
const TILE_HEIGHT = 8

export interface TileId {
  readonly level: number | 'entries'
  readonly n: number
  /** 256 in a full tile. */
  readonly width: number
}

export function tilePath(level: number | 'entries', n: number, width: number): string {
  const groups = [String(n % 1000).padStart(3, '0')]
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`)
  }
  return `tile/${level}/${groups.join('/')}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

/** Null for what is not a tile, or is spelled otherwise than `tilePath` would: one tile has one address in every cache. */
export function parseTilePath(path: string): TileId | null {
  const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path)
  if (!match) return null
  const level = match[1] === 'entries' ? 'entries' : Number(match[1])
  const n = Number(match[2]!.replace(/[x/]/g, ''))
  const width = match[3] === undefined ? TILE_WIDTH : Number(match[3])
  if (width === 0 || width > TILE_WIDTH || !Number.isSafeInteger(n) || (level !== 'entries' && level > 63)) return null
  return tilePath(level, n, width) === path ? { level, n, width } : null
}

/** Hashes in the partial tile at the right of a level; 0 where there is none. */
export function partialWidth(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level) % TILE_WIDTH
}

/** Tiles of a level, the partial one included. */
export function tileCount(level: number, size: number): number {
  return Math.ceil(Math.floor(size / TILE_WIDTH ** level) / TILE_WIDTH)
}

/** Folded nodes that a reader remembers: those of some sixty tiles, a megabyte. */
const FOLDED_LIMIT = 16_384

/**
 * Reads nodes out of tiles; those between the tiles' own levels are folded from their hashes, and remembered. A perfect
 * subtree never changes, so what is remembered stays true.
 */
export function nodeReader(readTile: (level: number, n: number) => Uint8Array): ReadNode {
  const folded = new Map<string, Uint8Array>()
  const read: ReadNode = (level, index) => {
    const tileLevel = Math.floor(level / TILE_HEIGHT)
    if (level === tileLevel * TILE_HEIGHT) {
      const n = Math.floor(index / TILE_WIDTH)
      return hashAt(readTile(tileLevel, n), index % TILE_WIDTH, tileLevel, n)
    }
    const key = `${level}/${index}`
    const known = folded.get(key)
    if (known) return known
    const hash = nodeHash(read(level - 1, index * 2), read(level - 1, index * 2 + 1))
    if (folded.size >= FOLDED_LIMIT) folded.clear()
    folded.set(key, hash)
    return hash
  }
  return read
}

/** A tile to be kept: all its hashes so far, so that it replaces a narrower one. */
export interface TileWrite {
  readonly level: number
  readonly n: number
  readonly hashes: Uint8Array
}

/** The right side of a tree: enough to grow it without reading a tile. Never changes; `append` gives another one. */
export class TileEdge {
  readonly size: number
  /** By level, the hash of the perfect subtree that waits for a right sibling: one for each set bit of `size`. */
  readonly #waiting: readonly (Uint8Array | undefined)[]
  /** By tile level, the hashes of the partial tile. */
  readonly #partial: readonly Uint8Array[]

  private constructor(size: number, waiting: readonly (Uint8Array | undefined)[], partial: readonly Uint8Array[]) {
    this.size = size
    this.#waiting = waiting
    this.#partial = partial
  }

  /** Takes up a kept tree again; `readTile` answers null for a tile it doesn't have. */
  static restore(size: number, readTile: (level: number, n: number) => Uint8Array | null): TileEdge {
    const partial: Uint8Array[] = []
    for (let level = 0; TILE_WIDTH ** level <= size; level++) {
      const width = partialWidth(level, size)
      const n = tileCount(level, size) - 1
      const tile = width === 0 ? new Uint8Array(0) : readTile(level, n)
      if (!tile || tile.length < width * HASH_SIZE)
        throw new Error(`${tilePath(level, n, width)} is missing or cut short`)
      // A wider tile is left by a commit that was rolled back: what lies past the size is not in the tree.
      partial.push(new Uint8Array(tile.subarray(0, width * HASH_SIZE)))
    }
    const read = nodeReader((level) => partial[level]!)
    const waiting: (Uint8Array | undefined)[] = []
    // Each perfect subtree at the edge lies in its level's partial tile, but at another place in it than in the tree.
    for (const { level, index } of coveringNodes(0, size)) {
      waiting[level] = read(level, index % (TILE_WIDTH / 2 ** (level % TILE_HEIGHT)))
    }
    return new TileEdge(size, waiting, partial)
  }

  /** The tree with these leaves added, its root, and the tiles to keep. This edge stays as it was. */
  append(leafHashes: readonly Uint8Array[]): { edge: TileEdge; root: Uint8Array; writes: TileWrite[] } {
    const waiting = [...this.#waiting]
    const fresh: Uint8Array[][] = []
    let size = this.size
    for (const leaf of leafHashes) {
      if (leaf.length !== HASH_SIZE) throw new Error(`a leaf hash is ${leaf.length} bytes, not ${HASH_SIZE}`)
      let hash = leaf
      let level = 0
      for (let rest = size; ; rest = Math.floor(rest / 2), level++) {
        if (level % TILE_HEIGHT === 0) {
          const tileLevel = level / TILE_HEIGHT
          fresh[tileLevel] = fresh[tileLevel] ?? []
          fresh[tileLevel].push(hash)
        }
        if (rest % 2 === 0) break
        hash = nodeHash(waiting[level]!, hash)
        waiting[level] = undefined
      }
      waiting[level] = hash
      size++
    }
    const writes: TileWrite[] = []
    const partial = [...this.#partial]
    for (const [level, hashes] of fresh.entries()) {
      let n = Math.floor(Math.floor(this.size / TILE_WIDTH ** level) / TILE_WIDTH)
      let all = joined(partial[level] ?? new Uint8Array(0), hashes)
      const full = TILE_WIDTH * HASH_SIZE
      for (; all.length >= full; all = all.subarray(full)) writes.push({ level, n: n++, hashes: all.subarray(0, full) })
      if (all.length > 0) writes.push({ level, n, hashes: all })
      partial[level] = all
    }
    const root = waiting.reduce((right, left) => (left && right ? nodeHash(left, right) : (left ?? right)), undefined)
    return { edge: new TileEdge(size, waiting, partial), root: root ?? EMPTY_ROOT, writes }
  }
}

/** Entries as one cacheable file, 256 of them when full: `uint16be length || entry`, repeated. */
export function entryBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bundle = new Uint8Array(entries.reduce((size, entry) => size + 2 + entry.length, 0))
  let at = 0
  for (const entry of entries) {
    if (entry.length > 0xffff) throw new Error(`an entry of ${entry.length} bytes does not fit an entry bundle`)
    bundle.set([entry.length >> 8, entry.length & 0xff], at)
    bundle.set(entry, at + 2)
    at += 2 + entry.length
  }
  return bundle
}

export function parseEntryBundle(bundle: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bundle.length; ) {
    const start = at + 2
    at = start + bundle[at]! * 256 + (bundle[at + 1] ?? 0)
    if (start > bundle.length || at > bundle.length) throw new VerificationError('entry bundle is cut short')
    entries.push(bundle.subarray(start, at))
  }
  return entries
}

function hashAt(tile: Uint8Array, at: number, level: number, n: number): Uint8Array {
  const hash = tile.subarray(at * HASH_SIZE, (at + 1) * HASH_SIZE)
  if (hash.length !== HASH_SIZE) throw new Error(`${tilePath(level, n, TILE_WIDTH)} has no hash at ${at}`)
  return hash
}

function joined(start: Uint8Array, hashes: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(start.length + hashes.length * HASH_SIZE)
  all.set(start)
  for (const [at, hash] of hashes.entries()) all.set(hash, start.length + at * HASH_SIZE)
  return all
}
